/* Start of the firmware, and the data that it is linked with. */
    .section .start, "ax"
    .globl start
start:
    la   sp, stack_top
    la   a0, bss_begin
    la   a1, bss_end
1:  bgeu a0, a1, 2f
    sw   zero, 0(a0)
    addi a0, a0, 4
    j    1b
2:  call main
3:  j    3b

    .section .rodata
    .balign 4
    .globl image, image_end, elements
image:
    .incbin IMAGE
image_end:
elements:
    .incbin ELEMENTS
