// What all kernels share. bf16 values are held as raw bits, so that NVRTC needs no headers; sums are in f32.
//
// Defined by who compiles this: HIDDEN (a multiple of 64), INNER (a multiple of 128), HEAD (32 or 64).

typedef unsigned short bf16;
typedef unsigned int u32;

#define PAIRS (HIDDEN / 64)
#define WARPS 8

__device__ __forceinline__ float low(u32 two) { return __uint_as_float(two << 16); }
__device__ __forceinline__ float high(u32 two) { return __uint_as_float(two & 0xffff0000u); }

// Two f32 to two bf16, rounded to nearest even; the first one is the lower.
__device__ __forceinline__ u32 pack(float first, float second) {
    u32 two;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(two) : "f"(second), "f"(first));
    return two;
}

__device__ __forceinline__ float sum_of_warp(float value) {
#pragma unroll
    for (int step = 16; step > 0; step >>= 1) value += __shfl_xor_sync(0xffffffffu, value, step);
    return value;
}

// An integer hash without visible structure ("lowbias32", Wellons 2018).
__device__ __forceinline__ u32 mix(u32 x) {
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    x ^= x >> 16;
    return x;
}

// Dropout: the place and the seed decide, 16 bits a value. `threshold` is the rate in 65536ths.
struct Drop {
    u32 seed;
    u32 threshold;
    float keep; // the factor of what stays
};

__device__ __forceinline__ void drop_two(const Drop drop, u32 place, float &first, float &second) {
    if (drop.threshold == 0) return;
    u32 bits = mix(mix(place) + drop.seed);
    first = (bits & 0xffffu) < drop.threshold ? 0.0f : first * drop.keep;
    second = (bits >> 16) < drop.threshold ? 0.0f : second * drop.keep;
}
