# SPDX-License-Identifier: MIT
# nm -n of a kernel image to assembly: addresses and names of its functions, for report.c. -v word=.quad or .long: an address.
BEGIN {
	print ".section .rodata.symbols, \"a\"\n.globl pc_symbol_addresses, pc_symbol_names, pc_symbol_text, pc_symbols_nr"
	print ".balign 8\npc_symbol_addresses:"
}
$2 ~ /^[tTwW]$/ && $3 !~ /^(pc_text_start|pc_text_end)$/ && $1 != last {
	last = $1
	print word " 0x" $1
	name[nr++] = $3
}
END {
	print "pc_symbol_names:"
	for (i = 0; i < nr; i++) {
		print ".long " at + 0
		at += length(name[i]) + 1
	}
	print "pc_symbols_nr: .long " nr + 0 "\npc_symbol_text:"
	for (i = 0; i < nr; i++)
		print ".asciz \"" name[i] "\""
	print ".byte 0\n.section .note.GNU-stack, \"\", @progbits"
}
