// AdamW over one parameter; the norm of all gradients, and what follows from it. Parameters and moments are f32.

// `clip`, where there is one, stands in for `scale`; where it holds 0, nothing moves.
extern "C" __global__ void adamw(float *values, float *first, float *second, const float *gradient, unsigned int count,
                                 float beta1, float beta2, float scale, float shrink, float rate, float epsilon,
                                 float correction, const float *clip) {
    unsigned int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    if (clip) scale = *clip;
    if (clip && scale == 0.0f) return;
    float g = gradient[at] * scale;
    float m = beta1 * first[at] + (1.0f - beta1) * g;
    float v = beta2 * second[at] + (1.0f - beta2) * g * g;
    first[at] = m;
    second[at] = v;
    values[at] = shrink * values[at] - rate * m / (sqrtf(v * correction) + epsilon);
}

// A block's share of a sum of squares.
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

// One block of 256: adds up the shares, always in the same order, leaves loss and norm in `reading`, and in `clip` the
// factor on gradients. From the first value on that is no number the factor is 0: `clip[1]` remembers.
extern "C" __global__ void settle(const float *shares, unsigned int count, const float *loss, double limit,
                                  double *reading, float *clip) {
    __shared__ double sums[256];
    double sum = 0.0;
    for (unsigned int at = threadIdx.x; at < count; at += 256) sum += (double)shares[at];
    sums[threadIdx.x] = sum;
    __syncthreads();
    for (unsigned int half = 128; half > 0; half /= 2) {
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x != 0) return;
    double norm = sqrt(sums[0]), value = loss ? (double)*loss : 0.0;
    reading[0] = value;
    reading[1] = norm;
    if (!isfinite(norm) || !isfinite(value)) clip[1] = 1.0f;
    float scale = limit > 0.0 && norm > limit ? (float)(limit / norm) : 1.0f;
    clip[0] = clip[1] == 0.0f ? scale : 0.0f;
}
