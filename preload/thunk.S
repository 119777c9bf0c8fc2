/* SPDX-License-Identifier: Apache-2.0 */
/* dlsym and the thunks that it gives out; dlsym.c explains. Other architectures do without. */
#if defined(__x86_64__)

#if defined(__CET__)
#include <cet.h>
#else
#define _CET_ENDBR
#endif

	.text
	.globl	dlsym
	.type	dlsym, @function
	.p2align 4
dlsym:
	.cfi_startproc
	_CET_ENDBR
	pushq	%rdi
	.cfi_adjust_cfa_offset 8
	pushq	%rsi
	.cfi_adjust_cfa_offset 8
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	movq	24(%rsp), %rdx			/* who called */
	call	ekka_dlsym_answer
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%rsi
	.cfi_adjust_cfa_offset -8
	popq	%rdi
	.cfi_adjust_cfa_offset -8
	testq	%rdx, %rdx
	jz	1f
	ret
1:	jmp	*ekka_libc(%rip)		/* its first member is dlsym */
	.cfi_endproc
	.size	dlsym, .-dlsym

/* Thunk i: ekka_pending = &ekka_slots[i]; jump to its wrapper. Only %r10 and %r11 are free at a call. */
	.hidden	ekka_thunks
	.globl	ekka_thunks
	.type	ekka_thunks, @function
	.p2align 5
ekka_thunks:
	.cfi_startproc
	.set	i, 0
	.rept	512
	.p2align 5
	_CET_ENDBR
	leaq	ekka_slots+24*i(%rip), %r11
	movq	ekka_pending@gottpoff(%rip), %r10
	movq	%r11, %fs:(%r10)
	jmp	*(%r11)
	.set	i, i+1
	.endr
	.cfi_endproc
	.size	ekka_thunks, .-ekka_thunks

#endif
	.section .note.GNU-stack,"",@progbits
