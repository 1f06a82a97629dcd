// Command avo generates ../kern_amd64.s and ../kern_amd64.go. It is a module of
// its own, so that the generator's dependencies stay out of the product:
//
//	go run . -out ../kern_amd64.s -stubs ../kern_amd64.go -pkg kern
//	sed -i 's/^func /\n\/\/go:noescape\nfunc /' ../kern_amd64.go && gofmt -w ../kern_amd64.go
//
// go:noescape matters: without it every query buffer escapes to the heap.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func hsum(acc []VecVirtual) {
	for s := len(acc) / 2; s >= 1; s /= 2 {
		for i := 0; i < s; i++ {
			VADDPS(acc[i+s], acc[i], acc[i])
		}
	}
	x := XMM()
	VEXTRACTF128(Imm(1), acc[0], x)
	VADDPS(x, acc[0].AsX(), acc[0].AsX())
	VHADDPS(acc[0].AsX(), acc[0].AsX(), acc[0].AsX())
	VHADDPS(acc[0].AsX(), acc[0].AsX(), acc[0].AsX())
}

func hsumI(a VecVirtual) {
	x := XMM()
	VEXTRACTI128(Imm(1), a, x)
	VPADDD(x, a.AsX(), a.AsX())
	VPSHUFD(Imm(0x4e), a.AsX(), x)
	VPADDD(x, a.AsX(), a.AsX())
	VPSHUFD(Imm(0xb1), a.AsX(), x)
	VPADDD(x, a.AsX(), a.AsX())
}

// n (dims) is a multiple of 32 in all kernels: rows are padded with zeros.
func main() {
	// one pair, u accumulators
	f := func(name string, u int) {
		TEXT(name, NOSPLIT, "func(a, b *float32, n int) float32")
		a := Mem{Base: Load(Param("a"), GP64())}
		b := Mem{Base: Load(Param("b"), GP64())}
		n := Load(Param("n"), GP64())
		acc := make([]VecVirtual, u)
		for i := range acc {
			acc[i] = YMM()
			VXORPS(acc[i], acc[i], acc[i])
		}
		Label("loop")
		for i := range acc {
			y := YMM()
			VMOVUPS(a.Offset(32*i), y)
			VFMADD231PS(b.Offset(32*i), y, acc[i])
		}
		ADDQ(Imm(uint64(32*u)), a.Base)
		ADDQ(Imm(uint64(32*u)), b.Base)
		SUBQ(Imm(uint64(8*u)), n)
		JNZ(LabelRef("loop"))
		hsum(acc)
		Store(acc[0].AsX(), ReturnIndex(0))
		VZEROUPPER()
		RET()
	}
	f("dotAVX2", 4)

	// u7 x s8: codes 0..127 (unsigned), query -127..127: vpmaddubsw never saturates
	TEXT("dotU7S8AVX2", NOSPLIT, "func(u *uint8, s *int8, n int) int32")
	{
		a := Mem{Base: Load(Param("u"), GP64())}
		b := Mem{Base: Load(Param("s"), GP64())}
		n := Load(Param("n"), GP64())
		c0, c1, ones := YMM(), YMM(), YMM()
		VPXOR(c0, c0, c0)
		VPXOR(c1, c1, c1)
		VPCMPEQW(ones, ones, ones)
		VPSRLW(Imm(15), ones, ones)
		x, y := YMM(), YMM()
		Label("loopu")
		CMPQ(n, Imm(64))
		JLT(LabelRef("tailu"))
		VMOVDQU(a.Offset(0), x)
		VMOVDQU(a.Offset(32), y)
		VPMADDUBSW(b.Offset(0), x, x)
		VPMADDUBSW(b.Offset(32), y, y)
		VPMADDWD(ones, x, x)
		VPMADDWD(ones, y, y)
		VPADDD(x, c0, c0)
		VPADDD(y, c1, c1)
		ADDQ(Imm(64), a.Base)
		ADDQ(Imm(64), b.Base)
		SUBQ(Imm(64), n)
		JMP(LabelRef("loopu"))
		Label("tailu")
		CMPQ(n, Imm(0))
		JE(LabelRef("doneu"))
		VMOVDQU(a.Offset(0), x)
		VPMADDUBSW(b.Offset(0), x, x)
		VPMADDWD(ones, x, x)
		VPADDD(x, c0, c0)
		Label("doneu")
		VPADDD(c1, c0, c0)
		hsumI(c0)
		r := GP32()
		VMOVD(c0.AsX(), r)
		Store(r, ReturnIndex(0))
		VZEROUPPER()
		RET()
	}

	// FastScan: 32 one-bit codes against a 4-bit query by pshufb tables.
	// codes: per 8 dims 32 bytes (low nibble = dims 0..3, high = 4..7 of code j); lut: 16 bytes per 4 dims, entries <= 60.
	// est[j] = base + f1[j]*(val[j]*scale + shift) + f2[j]*lo ; returns the mask of est > thr. dims16 = dims/16.
	TEXT("scan32AVX2", NOSPLIT, "func(codes, lut *byte, dims16 int, f1, f2 *float32, base, scale, shift, lo, thr float32, est *[32]float32) uint32")
	{
		codes := Mem{Base: Load(Param("codes"), GP64())}
		lut := Mem{Base: Load(Param("lut"), GP64())}
		n := Load(Param("dims16"), GP64())
		m0f, mff, aLo, aHi := YMM(), YMM(), YMM(), YMM()
		VPCMPEQW(mff, mff, mff)
		VPSRLW(Imm(8), mff, mff) // 0x00ff
		VPSRLW(Imm(4), mff, m0f) // 0x000f
		t := YMM()
		VPSLLW(Imm(8), m0f, t)
		VPOR(t, m0f, m0f) // 0x0f0f
		VPXOR(aLo, aLo, aLo)
		VPXOR(aHi, aHi, aHi)
		Label("loopfs")
		var part [4]VecVirtual
		for i := 0; i < 2; i++ {
			v, h, t0, t1 := YMM(), YMM(), YMM(), YMM()
			VMOVDQU(codes.Offset(32*i), v)
			VPSRLW(Imm(4), v, h)
			VPAND(m0f, v, v)
			VPAND(m0f, h, h)
			VBROADCASTI128(lut.Offset(32*i), t0)
			VBROADCASTI128(lut.Offset(32*i+16), t1)
			VPSHUFB(v, t0, v)
			VPSHUFB(h, t1, h)
			part[2*i], part[2*i+1] = v, h
		}
		VPADDB(part[1], part[0], part[0])
		VPADDB(part[3], part[2], part[2])
		VPADDB(part[2], part[0], part[0])
		VPSRLW(Imm(8), part[0], part[1])
		VPAND(mff, part[0], part[0])
		VPADDW(part[1], aHi, aHi)
		VPADDW(part[0], aLo, aLo)
		ADDQ(Imm(64), codes.Base)
		ADDQ(Imm(64), lut.Base)
		DECQ(n)
		JNZ(LabelRef("loopfs"))
		u0, u1 := YMM(), YMM()
		VPUNPCKLWD(aHi, aLo, u0)
		VPUNPCKHWD(aHi, aLo, u1)
		f1 := Mem{Base: Load(Param("f1"), GP64())}
		f2 := Mem{Base: Load(Param("f2"), GP64())}
		est := Mem{Base: Load(Param("est"), GP64())}
		bc := func(name string) VecVirtual {
			y := YMM()
			a, _ := Param(name).Resolve()
			VBROADCASTSS(a.Addr, y)
			return y
		}
		base, scale, shift, lo, thr := bc("base"), bc("scale"), bc("shift"), bc("lo"), bc("thr")
		mask := GP32()
		XORL(mask, mask)
		for i := 0; i < 4; i++ {
			src := []VecVirtual{u0, u1, u0, u1}[i]
			x := XMM()
			if i < 2 {
				VMOVDQA(src.AsX(), x)
			} else {
				VEXTRACTI128(Imm(1), src, x)
			}
			f := YMM()
			VPMOVZXWD(x, f)
			VCVTDQ2PS(f, f)
			VFMADD213PS(shift, scale, f) // f = f*scale + shift
			a, b := YMM(), YMM()
			VMOVUPS(f1.Offset(32*i), a)
			VFMADD213PS(base, a, f) // f = f*a + base
			VMOVUPS(f2.Offset(32*i), b)
			VFMADD231PS(b, lo, f)
			VMOVUPS(f, est.Offset(32*i))
			c := YMM()
			VCMPPS(Imm(14), thr, f, c) // f > thr
			g := GP32()
			VMOVMSKPS(c, g)
			if i > 0 {
				SHLL(Imm(uint64(8*i)), g)
			}
			ORL(g, mask)
		}
		Store(mask, ReturnIndex(0))
		VZEROUPPER()
		RET()
	}

	// in place: a = H(a*signs) for 128 floats (signs carry the 1/sqrt(128))
	TEXT("fwht128AVX2", NOSPLIT, "func(a, signs *float32)")
	{
		a := Mem{Base: Load(Param("a"), GP64())}
		sg := Mem{Base: Load(Param("signs"), GP64())}
		c1, c2, c4 := YMM(), YMM(), YMM()
		for i, c := range []VecVirtual{c1, c2, c4} {
			d := GLOBL([]string{"fw1", "fw2", "fw4"}[i], RODATA|NOPTR)
			for j := 0; j < 8; j++ {
				v := float32(1)
				if j>>i&1 == 1 {
					v = -1
				}
				DATA(4*j, F32(v))
			}
			VMOVUPS(d, c)
		}
		for half := 0; half < 2; half++ {
			var r [8]VecVirtual
			for i := range r {
				r[i] = YMM()
				VMOVUPS(a.Offset(256*half+32*i), r[i])
				VMULPS(sg.Offset(256*half+32*i), r[i], r[i])
			}
			for i := range r {
				t := YMM()
				VPERMILPS(Imm(0xb1), r[i], t)
				VFMADD213PS(t, c1, r[i])
				t = YMM()
				VPERMILPS(Imm(0x4e), r[i], t)
				VFMADD213PS(t, c2, r[i])
				t = YMM()
				VPERM2F128(Imm(1), r[i], r[i], t)
				VFMADD213PS(t, c4, r[i])
			}
			for h := 1; h < 8; h *= 2 {
				for i := 0; i < 8; i++ {
					if i&h == 0 {
						t := YMM()
						VADDPS(r[i+h], r[i], t)
						VSUBPS(r[i+h], r[i], r[i+h])
						r[i] = t
					}
				}
			}
			for i := range r {
				VMOVUPS(r[i], a.Offset(256*half+32*i))
			}
		}
		for i := 0; i < 8; i++ {
			x, t := YMM(), YMM()
			VMOVUPS(a.Offset(32*i), x)
			VADDPS(a.Offset(256+32*i), x, t)
			VSUBPS(a.Offset(256+32*i), x, x)
			VMOVUPS(t, a.Offset(32*i))
			VMOVUPS(x, a.Offset(256+32*i))
		}
		VZEROUPPER()
		RET()
	}

	// lut[g][i] = sum of c[4g+k] over the bits k of i
	TEXT("nibblesAVX2", NOSPLIT, "func(c, lut *byte, groups int)")
	{
		c := Mem{Base: Load(Param("c"), GP64())}
		lut := Mem{Base: Load(Param("lut"), GP64())}
		n := Load(Param("groups"), GP64())
		var m [4]VecVirtual
		for k := range m {
			d := GLOBL([]string{"lm0", "lm1", "lm2", "lm3"}[k], RODATA|NOPTR)
			for i := 0; i < 16; i++ {
				v := uint8(0)
				if i>>k&1 == 1 {
					v = 0xff
				}
				DATA(i, U8(v))
			}
			m[k] = XMM()
			VMOVDQU(d, m[k])
		}
		Label("looplut")
		var t [4]VecVirtual
		for k := range t {
			t[k] = XMM()
			VPBROADCASTB(c.Offset(k), t[k])
			VPAND(m[k], t[k], t[k])
		}
		VPADDB(t[1], t[0], t[0])
		VPADDB(t[3], t[2], t[2])
		VPADDB(t[2], t[0], t[0])
		VMOVDQU(t[0], lut.Offset(0))
		ADDQ(Imm(4), c.Base)
		ADDQ(Imm(16), lut.Base)
		DECQ(n)
		JNZ(LabelRef("looplut"))
		RET()
	}

	TEXT("prefetchAVX2", NOSPLIT, "func(p *byte, lines int)")
	{
		p := Mem{Base: Load(Param("p"), GP64())}
		n := Load(Param("lines"), GP64())
		Label("loopp")
		PREFETCHT0(p.Offset(0))
		ADDQ(Imm(64), p.Base)
		DECQ(n)
		JNZ(LabelRef("loopp"))
		RET()
	}
	Generate()
}
