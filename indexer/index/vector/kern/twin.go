package kern

// The plain Go side. Eight accumulators let the processor add in parallel.

func dotGo(a, b []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for len(a) >= 8 && len(b) >= 8 {
		x, y := (*[8]float32)(a), (*[8]float32)(b)
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
		s4 += x[4] * y[4]
		s5 += x[5] * y[5]
		s6 += x[6] * y[6]
		s7 += x[7] * y[7]
		a, b = a[8:], b[8:]
	}
	return (s0 + s1) + (s2 + s3) + (s4 + s5) + (s6 + s7)
}

func dotU7S8Go(u []uint8, s []int8) int32 {
	var s0, s1, s2, s3 int32
	for len(u) >= 4 && len(s) >= 4 {
		x, y := (*[4]uint8)(u), (*[4]int8)(s)
		s0 += int32(x[0]) * int32(y[0])
		s1 += int32(x[1]) * int32(y[1])
		s2 += int32(x[2]) * int32(y[2])
		s3 += int32(x[3]) * int32(y[3])
		u, s = u[4:], s[4:]
	}
	return s0 + s1 + s2 + s3
}

func fwht128Go(a, signs *[128]float32) {
	for i := range a {
		a[i] *= signs[i]
	}
	for h := 1; h < 128; h *= 2 {
		for i := 0; i < 128; i += 2 * h {
			x, y := a[i:i+h], a[i+h:i+2*h]
			for j := range x {
				x[j], y[j] = x[j]+y[j], x[j]-y[j]
			}
		}
	}
}

// bytesGo fills 256 sums for each 8 dims: a look-up a byte of code instead of
// two, which is what plain Go can do well.
func bytesGo(query []byte, sums []uint16) {
	for g := 0; g < len(query)/8; g++ {
		t := sums[256*g : 256*g+256 : 256*g+256]
		t[0] = 0
		for k := range 8 {
			c := uint16(query[8*g+k])
			n := 1 << k
			for i := range n {
				t[n+i] = t[i] + c
			}
		}
	}
}

func scan32Go(codes []byte, sums []uint16, f1, f2 *[32]float32, a Affine, threshold float32, est *[32]float32) uint32 {
	var v [32]uint16
	for len(codes) >= 32 && len(sums) >= 256 {
		c, t := (*[32]byte)(codes), (*[256]uint16)(sums)
		for j := range v {
			v[j] += t[c[j]]
		}
		codes, sums = codes[32:], sums[256:]
	}
	var mask uint32
	for j, x := range v {
		e := a.Base + f1[j]*(float32(x)*a.Scale+a.Shift) + f2[j]*a.Lo
		est[j] = e
		if e > threshold {
			mask |= 1 << j
		}
	}
	return mask
}
