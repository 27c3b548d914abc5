// Kernels over rows of tokens. A warp takes a row; a lane takes the pairs lane, lane + 32, ...

// LayerNorm of a row in registers: writes the output, the normalised input and the inverse deviation.
__device__ __forceinline__ void normalise(float (&z)[2 * PAIRS], const float *weight, const float *bias, float epsilon,
                                          u32 row, int lane, u32 *normal, float *inverse, float (&y)[2 * PAIRS]) {
    float sum = 0.0f;
#pragma unroll
    for (int i = 0; i < 2 * PAIRS; i++) sum += z[i];
    float mean = sum_of_warp(sum) * (1.0f / HIDDEN);
    float squares = 0.0f;
#pragma unroll
    for (int i = 0; i < 2 * PAIRS; i++) squares += (z[i] - mean) * (z[i] - mean);
    float deviation = rsqrtf(sum_of_warp(squares) * (1.0f / HIDDEN) + epsilon);
    if (lane == 0) inverse[row] = deviation;
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
        int pair = lane + 32 * i;
        float a = (z[2 * i] - mean) * deviation, b = (z[2 * i + 1] - mean) * deviation;
        normal[row * (HIDDEN / 2) + pair] = pack(a, b);
        float2 w = ((const float2 *)weight)[pair], c = ((const float2 *)bias)[pair];
        y[2 * i] = a * w.x + c.x;
        y[2 * i + 1] = b * w.y + c.y;
    }
}

// Embeddings: word + position + type, LayerNorm, dropout.
extern "C" __global__ void embed(const u32 *ids, const u32 *places, const float *words, const float *positions,
                                 const float *types, const float *weight, const float *bias, u32 *out, u32 *normal,
                                 float *inverse, u32 rows, float epsilon, u32 seed, u32 threshold, float keep) {
    u32 row = blockIdx.x * WARPS + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    if (row >= rows) return;
    const float2 *word = (const float2 *)(words + (size_t)ids[row] * HIDDEN);
    const float2 *position = (const float2 *)(positions + (size_t)places[row] * HIDDEN);
    float z[2 * PAIRS], y[2 * PAIRS];
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
        int pair = lane + 32 * i;
        float2 a = word[pair], b = position[pair], c = ((const float2 *)types)[pair];
        z[2 * i] = a.x + b.x + c.x;
        z[2 * i + 1] = a.y + b.y + c.y;
    }
    normalise(z, weight, bias, epsilon, row, lane, normal, inverse, y);
    Drop drop = {seed, threshold, keep};
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
        u32 place = row * (HIDDEN / 2) + lane + 32 * i;
        drop_two(drop, place, y[2 * i], y[2 * i + 1]);
        out[place] = pack(y[2 * i], y[2 * i + 1]);
    }
}

// LayerNorm(dropout(x + bias of the product before) + residual).
extern "C" __global__ void add_norm(const u32 *x, const float *shift, const u32 *residual, const float *weight,
                                    const float *bias, u32 *out, u32 *normal, float *inverse, u32 rows, float epsilon,
                                    u32 seed, u32 threshold, float keep) {
    u32 row = blockIdx.x * WARPS + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    if (row >= rows) return;
    float z[2 * PAIRS], y[2 * PAIRS];
    Drop drop = {seed, threshold, keep};
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
        int pair = lane + 32 * i;
        u32 place = row * (HIDDEN / 2) + pair;
        u32 two = x[place], other = residual[place];
        float2 c = ((const float2 *)shift)[pair];
        float a = low(two) + c.x, b = high(two) + c.y;
        drop_two(drop, place, a, b);
        z[2 * i] = a + low(other);
        z[2 * i + 1] = b + high(other);
    }
    normalise(z, weight, bias, epsilon, row, lane, normal, inverse, y);
#pragma unroll
    for (int i = 0; i < PAIRS; i++) out[row * (HIDDEN / 2) + lane + 32 * i] = pack(y[2 * i], y[2 * i + 1]);
}

// Backward of both. The gradient of the output is `first`, plus `second` where there is one; `after` drops it first (the
// embeddings' dropout follows their LayerNorm). Writes the gradient of the sum, and with `dropped` that of the product
// before it, through its dropout. Sums of a block's rows for weight, bias and the product's bias go to `partial`
// [blocks, 3, HIDDEN].
extern "C" __global__ void norm_back(const u32 *first, const u32 *second, const u32 *normal, const float *inverse,
                                     const float *weight, u32 *out, u32 *dropped, float *partial, u32 rows, u32 seed,
                                     u32 threshold, float keep, int after) {
    __shared__ float shared[WARPS][HIDDEN];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    float of_weight[2 * PAIRS] = {}, of_bias[2 * PAIRS] = {}, of_shift[2 * PAIRS] = {};
    Drop drop = {seed, threshold, keep};
    for (u32 row = blockIdx.x * WARPS + warp; row < rows; row += gridDim.x * WARPS) {
        float g[2 * PAIRS], n[2 * PAIRS];
        float sum = 0.0f, with_normal = 0.0f;
#pragma unroll
        for (int i = 0; i < PAIRS; i++) {
            int pair = lane + 32 * i;
            u32 place = row * (HIDDEN / 2) + pair;
            u32 two = first[place];
            float a = low(two), b = high(two);
            if (second) {
                u32 more = second[place];
                a += low(more);
                b += high(more);
            }
            if (after) drop_two(drop, place, a, b);
            two = normal[place];
            n[2 * i] = low(two);
            n[2 * i + 1] = high(two);
            of_weight[2 * i] += a * n[2 * i];
            of_weight[2 * i + 1] += b * n[2 * i + 1];
            of_bias[2 * i] += a;
            of_bias[2 * i + 1] += b;
            float2 w = ((const float2 *)weight)[pair];
            g[2 * i] = a * w.x;
            g[2 * i + 1] = b * w.y;
            sum += g[2 * i] + g[2 * i + 1];
            with_normal += g[2 * i] * n[2 * i] + g[2 * i + 1] * n[2 * i + 1];
        }
        sum = sum_of_warp(sum) * (1.0f / HIDDEN);
        with_normal = sum_of_warp(with_normal) * (1.0f / HIDDEN);
        float deviation = inverse[row];
#pragma unroll
        for (int i = 0; i < PAIRS; i++) {
            u32 place = row * (HIDDEN / 2) + lane + 32 * i;
            float a = deviation * (g[2 * i] - sum - n[2 * i] * with_normal);
            float b = deviation * (g[2 * i + 1] - sum - n[2 * i + 1] * with_normal);
            out[place] = pack(a, b);
            if (dropped) {
                drop_two(drop, place, a, b);
                dropped[place] = pack(a, b);
                of_shift[2 * i] += a;
                of_shift[2 * i + 1] += b;
            }
        }
    }
#pragma unroll
    for (int which = 0; which < 3; which++) {
        const float *mine = which == 0 ? of_weight : which == 1 ? of_bias : of_shift;
#pragma unroll
        for (int i = 0; i < PAIRS; i++) {
            shared[warp][2 * (lane + 32 * i)] = mine[2 * i];
            shared[warp][2 * (lane + 32 * i) + 1] = mine[2 * i + 1];
        }
        __syncthreads();
        for (int column = threadIdx.x; column < HIDDEN; column += blockDim.x) {
            float sum = 0.0f;
            for (int w = 0; w < WARPS; w++) sum += shared[w][column];
            partial[(blockIdx.x * 3 + which) * HIDDEN + column] = sum;
        }
        __syncthreads();
    }
}

// out[column] += the sum of so many partial sums, `stride` apart. A block takes 32 columns.
extern "C" __global__ void sum_partial(const float *partial, float *out, u32 count, u32 columns, u32 stride) {
    __shared__ float shared[32][33];
    u32 column = blockIdx.x * 32 + threadIdx.x;
    float sum = 0.0f;
    if (column < columns)
        for (u32 at = threadIdx.y; at < count; at += 32) sum += partial[(size_t)at * stride + column];
    shared[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < columns) {
        float all = 0.0f;
        for (int at = 0; at < 32; at++) all += shared[at][threadIdx.x];
        out[column] += all;
    }
}

#define ROOT_HALF 0.70710678118654752f
#define INVERSE_ROOT_2_PI 0.3989422804014327f

__device__ __forceinline__ float gelu_of(float x) { return 0.5f * x * (1.0f + erff(x * ROOT_HALF)); }

__device__ __forceinline__ float slope_of_gelu(float x) {
    return 0.5f * (1.0f + erff(x * ROOT_HALF)) + x * INVERSE_ROOT_2_PI * __expf(-0.5f * x * x);
}

// gelu(x + bias), eight values a thread.
extern "C" __global__ void gelu(const uint4 *x, const float *bias, uint4 *out, u32 eights) {
    u32 at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= eights) return;
    uint4 v = x[at];
    const float4 *b = (const float4 *)(bias + (at % (INNER / 8)) * 8);
    float4 p = b[0], q = b[1];
    v.x = pack(gelu_of(low(v.x) + p.x), gelu_of(high(v.x) + p.y));
    v.y = pack(gelu_of(low(v.y) + p.z), gelu_of(high(v.y) + p.w));
    v.z = pack(gelu_of(low(v.z) + q.x), gelu_of(high(v.z) + q.y));
    v.w = pack(gelu_of(low(v.w) + q.z), gelu_of(high(v.w) + q.w));
    out[at] = v;
}

// Rows of a tile of a column sum, and its pairs of columns.
#define TILE_ROWS 128
#define TILE_PAIRS 64

// Sums of columns over a tile of rows -> partial [tiles, columns]. With `x`, the gradient of gelu(x + bias) is taken to that
// of x first, in place.
extern "C" __global__ void column_sums(u32 *gradient, const u32 *x, const float *bias, float *partial, u32 rows,
                                       u32 columns) {
    __shared__ float shared[4][2 * TILE_PAIRS];
    u32 pair = blockIdx.x * TILE_PAIRS + threadIdx.x;
    bool inside = 2 * pair < columns;
    float a = 0.0f, b = 0.0f;
    float2 shift = {0.0f, 0.0f};
    if (x && inside) shift = ((const float2 *)bias)[pair];
    u32 end = min(rows, (blockIdx.y + 1) * TILE_ROWS);
    if (inside)
        for (u32 row = blockIdx.y * TILE_ROWS + threadIdx.y; row < end; row += 4) {
            size_t place = (size_t)row * (columns / 2) + pair;
            u32 two = gradient[place];
            float p = low(two), q = high(two);
            if (x) {
                u32 at = x[place];
                p *= slope_of_gelu(low(at) + shift.x);
                q *= slope_of_gelu(high(at) + shift.y);
                gradient[place] = pack(p, q);
            }
            a += p;
            b += q;
        }
    shared[threadIdx.y][2 * threadIdx.x] = a;
    shared[threadIdx.y][2 * threadIdx.x + 1] = b;
    __syncthreads();
    if (threadIdx.y == 0 && inside) {
        for (int at = 1; at < 4; at++) {
            a += shared[at][2 * threadIdx.x];
            b += shared[at][2 * threadIdx.x + 1];
        }
        partial[(size_t)blockIdx.y * columns + 2 * pair] = a;
        partial[(size_t)blockIdx.y * columns + 2 * pair + 1] = b;
    }
}

// Pooled hidden states: the weighted sum of a text's rows. A block takes a text, a thread a pair of columns.
extern "C" __global__ void pool(const u32 *x, const u32 *starts, const float *weights, float *out) {
    u32 text = blockIdx.x, pair = threadIdx.x;
    float a = 0.0f, b = 0.0f;
    for (u32 row = starts[text]; row < starts[text + 1]; row++) {
        u32 two = x[row * (HIDDEN / 2) + pair];
        a += weights[row] * low(two);
        b += weights[row] * high(two);
    }
    out[text * HIDDEN + 2 * pair] = a;
    out[text * HIDDEN + 2 * pair + 1] = b;
}

// Its backward. A thread takes a pair of a row.
extern "C" __global__ void unpool(const float *gradient, const u32 *texts, const float *weights, u32 *out, u32 pairs) {
    u32 at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= pairs) return;
    u32 row = at / (HIDDEN / 2), pair = at % (HIDDEN / 2);
    float2 g = ((const float2 *)gradient)[texts[row] * (HIDDEN / 2) + pair];
    out[at] = pack(weights[row] * g.x, weights[row] * g.y);
}

// Threads that share a pair of columns in `scatter`: a block has at most 1024.
#define LANES (HIDDEN <= 512 ? 4 : 2)

// Adds the gradient rows of one token to the row of its embedding, in the order of the rows, so that no sum depends on
// luck. `order` holds the rows by token, `bounds` where each token's begin. A block takes a token; HIDDEN / 2 x LANES threads.
extern "C" __global__ void scatter(const u32 *gradient, const u32 *order, const u32 *bounds, const u32 *tokens,
                                   float *out) {
    __shared__ float2 shared[LANES][HIDDEN / 2];
    u32 pair = threadIdx.x;
    float a = 0.0f, b = 0.0f;
    for (u32 at = bounds[blockIdx.x] + threadIdx.y; at < bounds[blockIdx.x + 1]; at += LANES) {
        u32 two = gradient[order[at] * (HIDDEN / 2) + pair];
        a += low(two);
        b += high(two);
    }
    shared[threadIdx.y][pair] = make_float2(a, b);
    __syncthreads();
    if (threadIdx.y == 0) {
        for (int at = 1; at < LANES; at++) {
            a += shared[at][pair].x;
            b += shared[at][pair].y;
        }
        float2 *row = (float2 *)(out + (size_t)tokens[blockIdx.x] * HIDDEN) + pair;
        row->x += a;
        row->y += b;
    }
}

// f32 to bf16, four values a thread; `fours` rounds down: sizes are multiples of four.
extern "C" __global__ void round_to_bf16(const float4 *x, uint2 *out, u32 fours) {
    u32 at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= fours) return;
    float4 v = x[at];
    out[at] = make_uint2(pack(v.x, v.y), pack(v.z, v.w));
}

// out += x.
extern "C" __global__ void add(const float *x, float *out, u32 count) {
    u32 at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < count) out[at] += x[at];
}
