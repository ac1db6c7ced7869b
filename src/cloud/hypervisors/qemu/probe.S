# The probe guest of probe.ts: boots by BIOS, and goes where Linux goes, from real mode into long mode with paging,
# where it uses SSE and says so on the first serial port.
#   as probe.S -o probe.o && ld -Ttext 0x7c00 --oformat binary -o probe.raw probe.o && base64 -w0 probe.raw
    .code16
    .globl _start
_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    # page tables at 0x1000: one 2 MiB page, mapped to itself
    movw $0x1000, %di
    xorl %eax, %eax
    movw $0xc00, %cx
    rep stosl
    movw $0x2003, 0x1000
    movw $0x3003, 0x2000
    movw $0x0083, 0x3000
    lgdt gdtr
    movl $0x620, %eax        # PAE, OSFXSR, OSXMMEXCPT
    movl %eax, %cr4
    movl $0x1000, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx   # EFER
    rdmsr
    orw $0x100, %ax          # long mode
    wrmsr
    movl $0x80000011, %eax   # paging, protection
    movl %eax, %cr0
    ljmp $8, $long
    .code64
long:
    movl $1000, %ebx
    cvtsi2sdl %ebx, %xmm0
    mulsd %xmm0, %xmm0
    cvtsd2sil %xmm0, %eax
    cmpl $1000000, %eax
    jne halt
    leaq text(%rip), %rsi
    movw $0x3f8, %dx
    movl $(textend - text), %ecx
    rep outsb
    movw $0xf4, %dx
    movb $0x10, %al
    outb %al, %dx            # isa-debug-exit: QEMU ends with status 33
halt:
    hlt
    jmp halt
text: .ascii "boots\n"
textend:
    .balign 8
gdt: .quad 0, 0x00209a0000000000
gdtr: .word 15
    .long gdt
    .org 510
    .word 0xaa55
