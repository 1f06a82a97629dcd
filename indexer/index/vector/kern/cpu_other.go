//go:build !amd64

package kern

// No assembly for this processor: plain Go, which choose never leaves.
const haveAVX2 = false

func dotAVX2(*float32, *float32, int) float32 { panic("kern: no AVX2") }
func dotU7S8AVX2(*uint8, *int8, int) int32    { panic("kern: no AVX2") }
func fwht128AVX2(*float32, *float32)          { panic("kern: no AVX2") }
func nibblesAVX2(*byte, *byte, int)           { panic("kern: no AVX2") }
func prefetchAVX2(*byte, int)                 { panic("kern: no AVX2") }
func scan32AVX2(*byte, *byte, int, *float32, *float32, float32, float32, float32, float32, float32, *[32]float32) uint32 {
	panic("kern: no AVX2")
}
