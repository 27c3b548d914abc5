// AdamW over one parameter, and the sum of squares of one gradient. All f32; four values a thread where they fill fours.

extern "C" __global__ void adamw(float *values, float *first, float *second, const float *gradient, unsigned int count,
                                 float beta1, float beta2, float scale, float shrink, float rate, float epsilon,
                                 float correction) {
    unsigned int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    float g = gradient[at] * scale;
    float m = beta1 * first[at] + (1.0f - beta1) * g;
    float v = beta2 * second[at] + (1.0f - beta2) * g * g;
    first[at] = m;
    second[at] = v;
    values[at] = shrink * values[at] - rate * m / (sqrtf(v * correction) + epsilon);
}

// A block's share of the sum; the shares are added elsewhere, always in the same order.
extern "C" __global__ void squares(const float *values, float *out, unsigned int count) {
    __shared__ float shared[8];
    float sum = 0.0f;
    for (unsigned int at = blockIdx.x * blockDim.x + threadIdx.x; at < count; at += gridDim.x * blockDim.x)
        sum += values[at] * values[at];
    for (int step = 16; step > 0; step >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, step);
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int warp = 1; warp < 8; warp++) sum += shared[warp];
        out[blockIdx.x] = sum;
    }
}
