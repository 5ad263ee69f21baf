/* Boot sector of the lab's bare-metal programs: the tick guest and the loader of
 * the Linux guest. It asks the BIOS for the memory map, loads the program that
 * follows it on the disk and enters it in 32-bit protected mode.
 *
 *   disk sector 0     this file                                    0x7c00
 *   disk sector 1     the guest's parameters: text, then a table   0x7e00
 *   disk sector 2..   the program                                  0x8000
 */
#include "layout.h"

    .section .boot, "ax"
    .code16
    .globl boot
boot:
    ljmp    $0, $1f
1:  cli
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movw    $BOOT_ADDRESS, %sp
    sti

    movb    $0x42, %ah              /* the BIOS left our drive in %dl */
    movw    $packet, %si
    int     $0x13
    jc      failed

    xorl    %ebp, %ebp              /* entries of the memory map so far */
    xorl    %ebx, %ebx
    movw    $(MEMORY_MAP_ADDRESS + 4), %di
next_region:
    movl    $0xe820, %eax
    movl    $20, %ecx
    movl    $0x534d4150, %edx
    int     $0x15
    jc      map_done
    addw    $20, %di
    incl    %ebp
    testl   %ebx, %ebx
    jnz     next_region
map_done:
    movl    %ebp, MEMORY_MAP_ADDRESS

    cli
    lgdt    gdt_register
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    ljmp    $CODE_SEGMENT, $protected

failed:
    movw    $0x3f8, %dx
    movb    $'E', %al
    outb    %al, %dx
    hlt
    jmp     failed

    .align  4
packet:
    .byte   16, 0
    .word   PROGRAM_SECTORS, PARAMETERS_ADDRESS, 0
    .quad   1

    .align  8
gdt:                                /* the two selectors Linux wants to be entered with */
    .quad   0, 0
    .quad   0x00cf9a000000ffff
    .quad   0x00cf92000000ffff
gdt_register:
    .word   . - gdt - 1
    .long   gdt

    .code32
protected:
    movw    $DATA_SEGMENT, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %fs
    movw    %ax, %gs
    movw    %ax, %ss
    movl    $BOOT_ADDRESS, %esp
    movl    $bss_start, %edi
    movl    $bss_end, %ecx
    subl    %edi, %ecx
    xorl    %eax, %eax
    rep stosb
    call    program
1:  hlt
    jmp     1b

    .org    510
    .word   0xaa55

    .text
    .globl interrupt_timer
interrupt_timer:
    incl    jiffies
    pushl   %eax
    movb    $0x20, %al
    outb    %al, $0x20
    popl    %eax
    iretl

    .globl interrupt_disk
interrupt_disk:
    pushl   %eax
    movb    $0x20, %al
    outb    %al, $0xa0
    outb    %al, $0x20
    popl    %eax
    iretl
