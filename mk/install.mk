# SPDX-License-Identifier: MIT
# make install: headers, library, pkg-config file, command, man page.

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
VERSION := 0.1.0

$(B)/octavo.pc: mk/install.mk
	@mkdir -p $(@D)
	$(Q)printf '%s\n' 'prefix=$(PREFIX)' 'includedir=$${prefix}/include' 'libdir=$(LIBDIR)' '' \
		'Name: octavo' 'Description: A kernel memory manager as a library' 'Version: $(VERSION)' \
		'Cflags: -I$${includedir} -DOCTAVO_MEMORY_MODEL_$(shell echo $(MODEL) | tr a-z A-Z)' \
		'Libs: -L$${libdir} -loctavo' > $@

.PHONY: install uninstall
install: $(B)/liboctavo.a $(B)/octavo.pc $(B)/octavo ## install below PREFIX (/usr/local; DESTDIR honoured)
	install -d $(DESTDIR)$(PREFIX)/include/octavo $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/bin \
		$(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 include/octavo/*.h $(DESTDIR)$(PREFIX)/include/octavo/
	install -m 644 $(B)/liboctavo.a $(DESTDIR)$(LIBDIR)/
	install -m 644 $(B)/octavo.pc $(DESTDIR)$(LIBDIR)/pkgconfig/
	install -m 755 $(B)/octavo $(DESTDIR)$(PREFIX)/bin/
	install -m 644 docs/octavo.1 $(DESTDIR)$(PREFIX)/share/man/man1/

uninstall: ## remove what install put there
	rm -rf $(DESTDIR)$(PREFIX)/include/octavo
	rm -f $(DESTDIR)$(LIBDIR)/liboctavo.a $(DESTDIR)$(LIBDIR)/pkgconfig/octavo.pc \
		$(DESTDIR)$(PREFIX)/bin/octavo $(DESTDIR)$(PREFIX)/share/man/man1/octavo.1
