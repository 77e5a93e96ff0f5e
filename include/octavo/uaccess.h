/* SPDX-License-Identifier: MIT */
/*
 * Copies between the kernel and the caller's address space. User addresses are checked against the address space's
 * size, the kernel's side against the object it lies in (usercopy.h), and bad pages stop the copy instead of the
 * kernel.
 */
#ifndef OCTAVO_UACCESS_H
#define OCTAVO_UACCESS_H

#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/** access_ok - [@addr, @addr + @size) lies below the caller's task size. Context: any. */
OCTAVO_API bool access_ok(uintptr_t addr, size_t size);

/**
 * copy_to_user, copy_from_user - Return: bytes not copied
 * Of copy_from_user() what was not copied is zero in the kernel's buffer.
 * Context: thread context; may sleep (fault pages in), except between pagefault_disable() and pagefault_enable().
 */
OCTAVO_API size_t __must_check copy_to_user(uintptr_t to, const void *from, size_t n);
OCTAVO_API size_t __must_check copy_from_user(void *to, uintptr_t from, size_t n);
/** clear_user - zeros. Return: bytes not cleared. */
OCTAVO_API size_t __must_check clear_user(uintptr_t to, size_t n);
/** strncpy_from_user - Return: its length without the NUL, @n if there is none in @n bytes, or -EFAULT */
OCTAVO_API long __must_check strncpy_from_user(char *to, uintptr_t from, size_t n);
/** strnlen_user - length with the NUL; more than @n if there is none; 0: -EFAULT */
OCTAVO_API long strnlen_user(uintptr_t from, size_t n);

/** get_user, put_user - one value of 1, 2, 4 or 8 bytes. Return: 0 or -EFAULT. */
#define get_user(x, addr) (copy_from_user(&(x), (uintptr_t)(addr), sizeof(x)) ? -14 : 0)
#define put_user(x, addr)                                                                          \
	({                                                                                         \
		__typeof__(x) _put_user_x = (x);                                                   \
		copy_to_user((uintptr_t)(addr), &_put_user_x, sizeof(_put_user_x)) ? -14 : 0;      \
	})

/** user_atomic_cmpxchg - on a user word of 4 bytes (futex). Return: 0, *@was the value it had; or -EFAULT. */
OCTAVO_API int __must_check user_cmpxchg32(uintptr_t addr, u32 old, u32 value, u32 *was);

/** pagefault_disable - copies fail instead of faulting pages in, until pagefault_enable(). Nests. */
OCTAVO_API void pagefault_disable(void);
OCTAVO_API void pagefault_enable(void);
/** fault_in_readable, fault_in_writeable - touch pages ahead of such a copy. Return: bytes not accessible. */
OCTAVO_API size_t fault_in_readable(uintptr_t addr, size_t n);
OCTAVO_API size_t fault_in_writeable(uintptr_t addr, size_t n);

OCTAVO_END_DECLS
#endif
