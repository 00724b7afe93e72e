"""Which forms of which instructions the effects are held against an emulator with.

Only assembly text belongs here; test_effects.py runs it. A line is one form, `{a|b}`
stands for either. What is expected of its effect stands in front:

    nothing  every register, flag and byte of stack that it changes is determined
    ~        something is left undetermined, but is a function of its inputs
    !        there is no such effect: everything becomes unknown

Registers that are no random number, on ARM64 and x86-64 (see `entry_states.Start`):

    x0   rdi rcx  a pointer to an object       x9   r9   6
    x17  x30 r15  a pointer to code            x10  r10  -2
    x29  rbp      entry SP + 0x28              x11  r11  a small number
    x12  rbx      entry SP - 0x75              sp   rsp  entry SP - 0x60

The word at SP, the one 16 bytes above it and the object's at 0x18 point to code.
"""

import re
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple


class Form(NamedTuple):
    arch: str
    line: str
    """Where it stands below."""
    mark: str
    text: str


ARM = """
{str|ldr} {x1|w1|x30|xzr|wzr}, [sp, {0|0x50}]
{str|ldr} {x1|w1|x30}, [sp, {-0x20|0x30}]!
{str|ldr} {x1|w1|xzr}, [sp], {-32|0x30}
{str|ldr} {x1|w1}, [x29, 0x20]
{str|ldr} {x1|w1|x29}, [x0, 0x20]
{str|ldr} {x1|w1}, [x0{, 8]!|], 8}
{stur|ldur} {x1|w1}, [{sp, -0x18|x29, -0x28|x29, 0x10|x0, -3}]
{stur|str} {x1|w1}, [{sp, 3|x12|x12, 8}]
str {x1|w1}, [x29, x10]
ldur {x1|w1}, [{sp, 3|sp, 5|x29, -1}]
ldur x1, [x12]
ldr w1, [{sp, 4|x29, 0x2c}]
ldr w1, [sp, x9, lsl 2]
{strb|ldrb|strh|ldrh} {w1|wzr}, [{sp|sp, 0x20|x29|x0, 0x22}]
{strb|ldrb|strh|ldrh} w1, [{sp, -0x20]!|sp], 0x10|x0, 2]!}
{sturb|ldurb|sturh|ldurh} w1, [{sp, -0x18|x29, 8|x0, -7}]
{strb|strh} w1, [sp, {6|x9}]
{ldrb|ldrh} w1, [sp, {6|x9}]
{ldurb|ldurh} w1, [sp, -3]
{str|ldr} {x1|xzr}, [sp, {x9|x10}, lsl 3]
{str|ldr} w1, [sp, x10, lsl 2]
{ldr|ldrb|ldrh} w1, [x0, {x9|x10}]
ldr x1, [x0, {x9|x10}{|, lsl 3}]
ldrh w1, [x0, {x9|x10}, lsl 1]
ldrsw x1, [x0, {x9|x10}{|, lsl 2}]
~{ldr|ldrb|ldrh} w1, [x0, x11]
~ldrsw x1, [x0, x11, lsl 2]
~{str|strb|strh} w1, [x0, x11]
~str x1, [{x0|sp}, x11{|, lsl 3}]
~ldr x1, [{x0|sp}, x11{|, lsl 3}]
~add x1, sp, x11; {str|ldr} x2, [x1{|, 8}]
~and x1, x29, 0xffffffffffffffe0; {str|ldr} x2, [x1{|, 8}]
ldrsw x1, [{sp, 0x28|x29, 0x28|x0, 4}]
ldrsw x1, [{sp, 0x28]!|sp], -8|x0], 4}
ldrsw x1, [sp, 4]
ldr {x1|w1}, .+0x20
ldrsw x1, .+0x20
adr x1, .+0x20; ldr {x2|w2}, [x1]
adr x1, .+0x20; {ldrb w2|ldrh w2|ldr w2}, [x1, 4]
adr x1, .+0x20; ldrsw x2, [x1, 4]
stp {x1, x2|w1, w2|x29, x30|x1, xzr|wzr, w2|x1, x1}, [sp{|, 0x40|, -0x40}]
stp {x1, x2|w1, w2|x29, x30|xzr, x2}, {[sp, 0x10]!|[sp, -0x20]!|[sp], 0x20}
ldp {x1, x2|x29, x30|x1, xzr|xzr, x2}, [sp{|, 0x40|, -0x40}]
ldp {x1, x2|x29, x30|xzr, x2}, {[sp, 0x10]!|[sp, -0x20]!|[sp], 0x20}
ldp w1, w2, {[sp]|[sp, 0x10]!|[sp], 0x20|[sp, 0x40]}
ldpsw x1, x2, [sp, 8]
ldpsw x1, x2, [sp, 0x10]
ldp {x1, x2|w1, w2}, [x0{, 0x10]|, 0x10]!|], 0x10}
ldpsw x1, x2, [x0, 8]
stp {x1, x2|w1, w2|x17, x30}, {[x29, 0x10]|[x0, 0x10]|[x0, 8]!|[x29], 16}
{str|stur} {q0|d1|s2|h3|b1}, [sp]
str {q0|d1|s2|h3|b1}, [sp{, -0x10]!|], 0x10}
stp {q0, q1|d2, d3|s0, s3}, [sp, 0x20]
~ldr {q0|d1|s2|h3|b1}, [sp]
~ldp {q0, q1|d2, d3}, [sp], 0x20
!ldr x1, [{sp, w9, uxtw|x0, w11, sxtw 3|x0, x11, sxtx}]
!str x1, [{sp, w9, uxtw|x0, w11, sxtw 3|x0, x11, sxtx}]
!str x1, [x1{, 8]!|], 8}
!{ldrsb x1|ldrsh w1|ldursb w1|ldursh x1|ldursw x1}, [sp]
!{str|ldr} {z0|p0}, [sp]
!ld1 {v0.16b}, [sp]
!st1 {v0.16b}, [sp]
!{ldxr|ldar} x1, [sp]
!stxr w3, x1, [sp]
!stlr x1, [sp]
ldr w1, [x29, 0x18]; str x1, [sp, 8]; ldr x2, [sp, 8]
str w1, [sp, 8]; ldr w2, [sp, 8]; ldrb w3, [sp, 8]
strb w1, [sp]; strb w2, [sp, 7]; str wzr, [sp]; ldr w3, [sp]
str x1, [sp]; strh w2, [sp, 2]; ldrh w3, [sp]
str x1, [sp]; strh w2, [sp, 2]; ldr x3, [sp]
ldr w1, [x29, 4]; ldr w2, [x29, 2]; eor x3, x1, x2
ldr x1, [x29, 4]; ldr x2, [x29, 5]; sub x3, x1, x2
~ldr x1, [sp, -0xc0]; ldr x2, [sp, -0xb8]; eor x3, x1, x2
~ldr x1, [sp, -0xc0]; ldr x2, [sp, -0xb8]; orr x1, x1, 1; orr x2, x2, 1; sub x3, x1, x2
{add|sub|adds|subs} {x1, x2|w1, w2|x1, x1|x1, sp|w1, wsp}, {0|1|0xfff|0xabc, lsl 12}
{add|sub} sp, sp, {0x40|0xff0|1, lsl 12}
{add|sub} {sp, x29|x29, sp|sp, x12|x12, sp}, 0x10
{add|sub} sp, sp, {x2|x9|x9, lsl 3|x10, lsl 4}
{add|sub} x1, sp, x2{|, lsl 3}
{add|sub} x1, {sp, x9|x9, x10|x29, x9}{|, lsl 3}
{add|sub|adds|subs} {x1, x2, x3|w1, w2, w3|x1, x2, x2}{|, lsl 7|, lsr 9}
{add|sub|adds|subs} {x1, x2, xzr|wzr, w1, w2}{|, lsl 7|, lsr 9}
{add|sub|adds} x1, xzr, x2{|, lsl 7|, lsr 9}
{and|ands|orr|eor|bic|orn|eon} {x1, x2, x3|w1, w2, w3|x1, x2, x2}{|, lsl 7|, lsr 9}
{and|ands|orr|eor|bic|orn|eon} {w1, wzr, w2|x1, x2, xzr}{|, lsl 7|, lsr 9}
{and|ands|orr|eor} x1, x2, {0xff00ff00ff00ff00|0xfffffffffffffff0|1}
{and|ands|orr|eor} w1, w2, {0xfffffff0|0x7fe|0x80000000}
{and|orr|eor} sp, {x1|x29}, 0xfffffffffffffff0
and {sp, x12|x1, x12|x1, x29|x12, x12}, 0xfffffffffffffff{0|8|c|e}
ands {x1, x12|x2, x29}, 0xfffffffffffffff0
and x1, {x29|x12}, {0xf|0xffffffffffffffe0|0x7ffffffffffffff0|x10}
and w1, {w29|w12}, 0xfffffff0
add x1, sp, 0x15; and sp, x1, 0xfffffffffffffff0; str x2, [sp, -16]!
{cmp|cmn} {x1, x2|w1, w2|x1, x1|sp, x2|xzr, x2|x1, xzr|x1, x2, lsl 3|w1, w2, lsr 5}
{cmp|cmn} {x1|w1|sp|wsp}, {0|1|0xfff|1, lsl 12}
tst {x1, x2|w1, w2|x1, x1|x1, x2, lsl 3|w1, w2, lsr 5|w1, wzr}
tst {x1, 0xff|w1, 0x80000000|x1, 0x8000000000000000|w1, 0xfffffffe|x29, 0xf}
!{add|sub|adds} x1, {x2, w3, uxtw|x2, w3, sxtw 2|sp, x2, sxtx}
!{add|sub|subs} w1, {w2, w3, uxtb|wsp, w2, sxth 1}
!{cmp|cmn} {x1, w2, uxtw|x1, w2, sxtw 2|sp, x2, sxtx|w1, w2, uxtb}
!{add|sub|and|orr} {x1, x2, x3|w1, w2, w3}, asr 4
!{cmp|tst|neg|mvn} {x1, x2|w1, w2}, asr 4
!{and|orr|eor|bic} {x1, x2, x3|w1, w2, w3}, ror 4
!{tst|mvn} {x1, x2|w1, w2}, ror 4
!{add|sub} wsp, wsp, 0x10
!and wsp, w1, 0xfffffff0
!{negs|ngc|cls|clz|rbit|rev} x1, x2
!{bics|adc|sbc|adcs|sbcs|udiv|sdiv|umulh} x1, x2, x3
!{add|sub|mul|cmeq} v0.4s, v1.4s, v2.4s
!{and|orr|eor|bic|orn} v0.16b, v1.16b, v2.16b
!{orr|bic} v0.4s, 1
!{add|sub} d0, d1, d2
!{neg|mvn|mov} v0.16b, v1.16b
!fmov {x1, d0|d0, x1}
!mov {x1, v0.d[0]|v0.d[0], x1}
mov {x1, x2|w1, w2|x1, xzr|wzr, w1|xzr, x1|x1, sp|w1, wsp|x29, sp|sp, x29|sp, x1|x1, x1}
mov x1, {0|0xffff|0x10000|-1|-2|0xffff000000000000|0x5555555555555555|0x1234}
mov w1, {0|0xffff|0x10000|-1|-2|0xffff0000|0xff00ff|0x80000000}
movz {x1|w1}, {0|0x1234}{|, lsl 16}
movz x1, {0|0x8234}, lsl 48
movk {x1|w1}, {0|0x1234}{|, lsl 16}
movk {x1|x29|x9}, {0xffff|0x8234}, lsl {32|48}
movz x1, 0x8765, lsl 16; movk x1, 0x4321; movk x1, 0xffff, lsl 48
!movn {x1, 0, lsl 16|w1, 0xffff}
orr {x1, xzr, 0xff|w1, wzr, 0xff|sp, xzr, 0xff0|x1, xzr, 0xffff0000ffff0000}
mvn {x1, x2|w1, w2|x1, xzr}{|, lsl 3|, lsr 7}
neg {x1, x2|w1, w2|x1, xzr}{|, lsl 3|, lsr 7}
!mov wsp, w1
adr {x1|x30}, .{+0x20|-0x10|+0xffff}
adr xzr, .
.inst {0xb0000001|0xd0091a21|0xf0ffffe1|0x9000001e}
~{lsl|lsr|asr|ror} {x1, x2, 7|w1, w2, 7|x1, x2, x3|w1, w2, w3|x1, x1, 63}
~{ubfx|sbfx} {x1, x2|w1, w2}, 3, 9
~mul {x1, x2, x3|w1, w2, w3|x1, x1, x1}
~csel {x1, x2, x3|w1, w2, w3}, {eq|lo|gt}
~{cmp|cmn} {x1, x2|w1, w2}; csel {x3, x1, xzr|w3, w1, w2}, {ne|hs|vs|pl}
~cmp x1, x2; csel x3, x4, x5, lo; mov x6, x3; \
 cmn x1, x2; csel x3, x4, x5, lo; sub x6, x6, x3
!cset x1, eq
!{csinc|csinv|csneg} x1, x2, x3, eq
!ccmp x1, x2, 0, eq
b .{+0x20|-0x10}
b.{eq|ne|hs|lo|mi|pl|hi|ls|ge|lt|gt|le} .{+0x20|-0x10}
!b.{vs|vc} .+0x20
br {x17|x30}
{cbz|cbnz} {x1|w1|x29|w29|xzr|wzr|x9}, .{+0x20|-0x10}
{tbz|tbnz} {x1|xzr}, {0|31|32|63}, .+0x20
{tbz|tbnz} {w1|wzr}, {0|7|31}, .-0x10
{tbz|tbnz} x9, {0|1|2}, .+0x20
bl .{+0x20|-0x10}
blr {x17|x30}
ret
ret {x17|x30}
!{braa|blraa} x17, x2
!retaa
!{paciasp|autiasp}
!mrs x1, nzcv
!msr nzcv, x1
nop
bti {c|j|jc}
!hint {0x28|0x30|0x7f}
{dmb|dsb} {ish|sy}
isb
prfm pldl1keep, [{sp|x0, x11}]
"""

X64 = """
mov {rax, rdx|eax, edx|ax, dx|al, dl|ah, dl|al, dh|ah, ch}
mov {rax, rax|eax, eax|rsp, rbp|rbp, rsp}
mov {r8, r14|r8d, r14d|r8w, r14w|r8b, r14b|sil, al|r14b, bpl|rdx, r9|al, r8b}
mov {rax|r8}, {5|-1|0x7fffffff|-0x80000000}
mov {eax, 5|eax, -1|r8d, 0x80000000|ax, 0x1234|ax, -2|r8w, 7}
mov {al, 0x12|ah, 0x12|dh, -1|sil, -2}
movabs {rax|r14}, {0x1122334455667788|-2|0x80000000}
mov {rax|eax|ax|al|ah|r8|r8d|r8w|r8b|rbp}, [{rsp|rsp+0x20|rbp-0x18|rbp+0x20}]
mov [{rsp|rsp+0x20|rbp-0x13}], {rax|eax|ax|al|ah|r8|r8d|r8w|r8b|rsp}
mov {eax|ax|al|ah|r8d}, [{rsp+3|rbp-1}]
mov {eax|ax|r8d}, [rbx+4]
mov {rax|r8}, [{rsp+3|rbp-1}]
mov {qword|dword|word|byte} ptr [rsp+0x20], {5|-1|0x7f}
mov qword ptr [rsp], {0x12345678|-0x80000000}
{mov [rsp+r9*8], rax|mov rax, [rsp+r9*8]|mov [rsp+r10*8+8], eax|mov eax, [rbp+r10*8-8]}
{mov [r9+rsp+2], al|mov al, [r9+rsp+2]|mov [rbx+r9], rax|mov [r10+rsp], dx}
mov {rax|eax|ax|al}, [{rdi|rdi+0x18|rcx-8|rdi+r9*4|r9+rdi|rcx+r10*8+4}]
mov ah, [{rdi|rcx+0x21}]
mov [{rdi|rdi+0x18|rcx-8}], {rax|eax|ax|al}
~mov [{rdi|rsp}+r11*8{|+8}], {rax|eax|ax|al}
~mov {rax|eax|ax|al}, [{rsp|rdi}+r11*8{|+8}]
~and rsp, -32; {push rax|pop rax|mov [rsp], rax|mov rax, [rsp+8]}
mov {qword|byte} ptr [rdi+8], 5
movabs {rax|eax|ax|al}, [0x5213c6a40100]
mov {rax|eax|ax|al|ah}, [rip+{8|-0x10}]
!mov {rax, gs:[0x30]|rax, fs:[rsp]|gs:[rsp], rax|eax, ds|ds, eax|rax, cr0|cr0, rax}
!mov {rax, [edx]|[esp+8], rax|rax, [eip+8]|rax, [edi+r11d]}
mov [rsp], eax; mov [rsp+1], al; mov [rsp], dx; mov [rsp+2], cx; mov r8d, [rsp+8]
mov [rsp+8], rax; mov byte ptr [rsp+7], 1; mov dx, [rsp+8]; mov r8, [rsp+8]
mov [rsp+8], rax; mov byte ptr [rsp+9], 1; mov rdx, [rsp+8]
mov eax, [rbp+4]; mov edx, [rbp+2]; xor eax, edx
mov rax, [rbp+4]; mov rdx, [rbp+5]; sub rax, rdx
mov [rsp], al; mov [rsp+1], al; mov dx, [rsp]; mov r8w, ax; sub dx, ax
~mov rax, [rsp-0xc0]; mov rdx, [rsp-0xb8]; or rax, 1; or rdx, 1; xor rax, rdx
lea {rax|eax|ax|r8|rsp}, [{rsp|rsp+8|rbp-0x28|rsp-0x1000|rdx+8}]
lea {rax|r8d}, [{rdx+rsi*4+0x10|rsi*8+0x10|rdx+rsi|rsp+rdx*2|rip+0x20|rip-0x10|0x1234}]
lea rax, [{rsp+r9*8|rbp+r10*4-8|r9+r10*2|rsi+rsi|r9*8-1}]
!lea rax, fs:[rsp+8]
!lea {rax, [edx+4]|eax, [esp]|rax, [edx*4+8]|rax, [edx+edi*2]|rax, [eip+8]}
!.byte 0x67, 0x48, 0x8d, 0x04, 0x25, 0xf8, 0xff, 0xff, 0xff
{add|sub|and|or|xor|cmp|test} {rax, rdx|eax, edx|ax, dx|al, dl|ah, dl|al, dh|ah, ch}
{add|sub|and|or|xor|cmp|test} {rax, rax|eax, eax|ax, ax|al, al|al, ah}
{add|sub|and|or|xor|cmp|test} {r8, rsp|r8d, r14d|r8w, r14w|r8b, bpl}
{add|sub|and|or|xor|cmp|test} {rax|r8}, {0|0x12|-0x12|0x12345678|-0x12345678}
{add|sub|and|or|xor|cmp|test} {eax|r8d}, {0|0x12|-0x12|0x12345678|0x80000000}
{add|sub|and|or|xor|cmp|test} {ax|r8w}, {0|0x12|-0x12|0x1234|0x8000}
{add|sub|and|or|xor|cmp|test} {al|ah|dh|r8b|sil}, {0|0x12|-0x12|0x7f}
{add|sub|and|or|xor|cmp|test} [{rsp|rsp+0x20|rbp-0x18}], {rax|eax|ax|al|ah}
{add|sub|and|or|xor|cmp} {rax|eax|ax|al|ah}, [{rsp|rbp+0x20|rdi+8|rip+8}]
{add|sub|and|or|xor|cmp|test} {qword|dword|word|byte} ptr [rsp+0x20], {5|-5}
{add|sub|and|or|xor|cmp|test} {qword|dword|word} ptr [rsp+0x20], 0x1234
{add|and|cmp|test} {qword|dword|word|byte} ptr [rdi+0x20], 5
{add|sub|cmp} rsp, {8|0x28|0x1000|r9|r10}
{add|sub} {rbp|rbx|esp|sp}, 0x28
and {rsp|rbp|rbx}, {-1|-2|-4|-8|-16|-32|0xf|r10}
and {esp|ebx|sp|bpl}, -16
lea rax, [rsp+0x15]; and rax, -16; mov [rax], edx; mov rax, [rax]
xor {eax, eax|r8d, r8d|rsi, rsi|r14d, eax|rdx, rsp}
{shl|shr} {rax|r8|rsp}, {0|1|4|33|63}
{shl|shr} qword ptr [rsp+0x20], 3
.byte 0x48, 0xd1, 0xe{0|8}
!{shl|shr} {eax|ax|al|dword ptr [rsp]}, 3
!{shl|shr} rax, cl
!{sar|rol|ror|rcl} rax, 3
{inc|dec} {rax|eax|ax|al|ah|r8|r8d|r8w|r8b|rsp}
{inc|dec} {qword|dword|word|byte} ptr [{rsp|rbp+0x20|rdi}]
!{neg|not} rax
!{adc|sbb|imul|cmove} rax, rdx
!{mul|div} rdx
!sete al
!{cdqe|cqo|cld|std|stc|pushfq|popfq|lahf|sahf|cpuid|syscall}
xchg {rax, rdx|eax, edx|ax, dx|al, dl|al, ah|dh, al|rsp, rax|rbp, r8}
xchg {eax, eax|rdx, rdx|r8w, ax|edx, edx|ax, ax}
!xchg {[rsp], rax|rdx, [rsp]}
push {rax|rsp|rbp|r12|r15|5|-1|0x12345678|-0x12345678}
push qword ptr [{rsp|rsp+8|rbp|rdi+8|rdi+r9*8|rip+8}]
!push {ax|word ptr [rsp]|fs|gs}
!pushw 0x1234
!pushw 5
pop {rax|rsp|rbp|r12|r15}
!pop {ax|fs|qword ptr [rsp+8]|qword ptr [rdi]}
push rax; push rbp; pop rdx; pop rsp
leave
push rbp; mov rbp, rsp; sub rsp, 0x20; leave
!enter 8, 0
!.byte 0x66, 0xc9
movzx {eax, dl|eax, dx|rax, dl|rax, dx|ax, dl|eax, dh|r8d, r14b|r8, ax|eax, ah}
movsx {eax, dl|eax, dx|rax, dl|rax, dx|ax, dl|eax, dh|r8d, r14b|r8, ax|eax, ah}
{movzx|movsx} {rax|eax}, {byte|word} ptr [{rsp|rsp+0x20|rdi+3|rip+8}]
{movzx|movsx} ax, byte ptr [{rsp|rdi+3}]
{movzx|movsx} eax, {byte|word} ptr [rsp+5]
movsxd {rax, edx|r8, eax|rax, eax}
movsxd rax, dword ptr [{rsp|rsp+0x20|rdi+r9*4|rip+8}]
movsxd rax, dword ptr [rsp+4]
.byte 0x63, 0xc2
{movaps|movups|movdqa|movdqu} {xmmword ptr [rsp+0x18], xmm1|xmm0, xmm2|xmm1, xmm1}
{movups|movdqu} xmmword ptr [{rsp+3|rbp-0x30|rdi+8}], xmm3
~{movaps|movups|movdqa|movdqu} xmm2, xmmword ptr [rsp+0x18]
~{movups|movdqu} xmm2, xmmword ptr [rdi+1]
!{vmovups xmm0, [rsp]|vmovups ymm0, [rsp]|movq rax, xmm0}
!{movsd xmm0, [rsp]|pxor xmm0, xmm0}
{je|jne|jae|jb|js|jns|ja|jbe|jge|jl|jg|jle} .{+0x20|-0x10}
{je|jle} .-0x4000
!{jo|jno|jp|jnp|jrcxz|jecxz|loop} .+0x20
jmp .{+0x20|-0x10|-0x4000}
jmp {r15|qword ptr [rsp]|qword ptr [rsp+0x10]|qword ptr [rdi+0x18]}
call .{+0x20|-0x10}
call {r15|qword ptr [rsp]|qword ptr [rsp+0x10]|qword ptr [rdi+0x18]}
ret
repz ret
ret {0|8|0x28|0x7ff8}
!int {0x80|0x2d|0x2e|1}
!{retw|retf|bnd jmp r15|lock add [rsp], rax|rep movsb|rep stosq}
!{ljmp|lcall} [rsp]
!{jmpw|callw} [rsp]
nop
nop dword ptr [rax+rax+8]
endbr64
"""

TRAPS = {
    "aarch64": ("brk 0", "brk 0xf000", "hlt 7", "udf 3"),
    "x86_64": ("int3", "int 3", "int 0x29", "ud2", "hlt"),
}
"""Each is run with something behind it that must not be reached."""

AFTER_TRAP = {"aarch64": "mov x1, 0x1234", "x86_64": "mov rax, 0x1234"}


def expand(line: str) -> Iterator[str]:
    """Every text that a line with `{a|b}` stands for."""
    parts = re.split(r"\{([^{}]*\|[^{}]*)\}", line)
    choices = [part.split("|") if n % 2 else [part] for n, part in enumerate(parts)]
    yield from map("".join, product(*choices))


BRANCHES = {
    "aarch64": list(expand("b.{eq|ne|hs|lo|mi|pl|hi|ls|ge|lt|gt|le} .+0x20")),
    "x86_64": list(expand("j{e|ne|ae|b|s|ns|a|be|ge|l|g|le} .+0x20")),
}
"""What tells flags from each other."""


def _forms(arch: str, lines: str) -> Iterator[Form]:
    for line in filter(None, lines.splitlines()):
        mark = line[0] if line[0] in "~!" else ""
        for text in expand(line[len(mark) :]):
            yield Form(arch, line, mark, text)


FORMS = [*_forms("aarch64", ARM), *_forms("x86_64", X64)]
