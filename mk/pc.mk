# SPDX-License-Identifier: MIT
# The PC port: build/octavo.elf.
