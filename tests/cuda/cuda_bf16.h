// Enough of CUDA for a C++ compiler to make a kernel of tinygrad run on a CPU: the threads of a group are fibers that take
// turns at every barrier, so a barrier that is missing shows, and a warp's matrix product follows the table of the PTX
// manual (mma.m16n8k16), element by element.
#pragma once
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

using std::exp2;
using std::log2;

#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(threads)
#define __shared__ static
#define __align__(bytes) __attribute__((aligned(bytes)))

struct float2 { float x, y; };
struct float4 { float x, y, z, w; };
struct int2 { int x, y; };
struct int4 { int x, y, z, w; };
struct uint2 { uint32_t x, y; };
struct uint4 { uint32_t x, y, z, w; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(uint32_t x, uint32_t y) { return {x, y}; }
inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) { return {x, y, z, w}; }

inline float __int_as_float(int bits) { float x; std::memcpy(&x, &bits, 4); return x; }

struct nv_bfloat16 {
  uint16_t bits;
  nv_bfloat16() = default;
  nv_bfloat16(float x) {
    uint32_t word;
    std::memcpy(&word, &x, 4);
    bits = (word + 0x7FFF + ((word >> 16) & 1)) >> 16;  // to nearest, ties to even
  }
  operator float() const { return __int_as_float(int(uint32_t(bits) << 16)); }
};

struct Place { int x, y, z; };
static Place threadIdx, blockIdx;

namespace group {
struct Fiber { ucontext_t context; std::vector<char> stack; bool is_done; };
static std::vector<Fiber> fibers;
static ucontext_t turn;
static std::function<void()> kernel;

inline void step() { swapcontext(&fibers[threadIdx.x].context, &turn); }
inline void body() { kernel(); fibers[threadIdx.x].is_done = true; }

// Every fiber runs to its next barrier before the first one goes on.
inline void run(int gx, int gy, int gz, int threads) {
  for (blockIdx.z = 0; blockIdx.z < gz; blockIdx.z++)
    for (blockIdx.y = 0; blockIdx.y < gy; blockIdx.y++)
      for (blockIdx.x = 0; blockIdx.x < gx; blockIdx.x++) {
        fibers.resize(threads);
        for (auto& fiber : fibers) {
          fiber.is_done = false;
          fiber.stack.resize(1 << 18);
          getcontext(&fiber.context);
          fiber.context.uc_stack.ss_sp = fiber.stack.data();
          fiber.context.uc_stack.ss_size = fiber.stack.size();
          fiber.context.uc_link = &turn;
          makecontext(&fiber.context, body, 0);
        }
        for (bool is_busy = true; is_busy;) {
          is_busy = false;
          for (threadIdx.x = 0; threadIdx.x < threads; threadIdx.x++)
            if (!fibers[threadIdx.x].is_done) {
              swapcontext(&turn, &fibers[threadIdx.x].context);
              is_busy = true;
            }
        }
      }
}

static float numbers[1024];

struct Held { float a[8], b[4]; };
static Held held[1024];

template <class A, class B>
inline float4 multiply(A a, B b, float4 c) {
  nv_bfloat16 as[8], bs[4];
  std::memcpy(as, &a, sizeof as);
  std::memcpy(bs, &b, sizeof bs);
  for (int i = 0; i < 8; i++) held[threadIdx.x].a[i] = as[i];
  for (int i = 0; i < 4; i++) held[threadIdx.x].b[i] = bs[i];
  step();
  const int lane = threadIdx.x % 32, first = threadIdx.x - lane;
  float sums[4] = {c.x, c.y, c.z, c.w};
  for (int e = 0; e < 4; e++) {
    const int row = lane / 4 + (e / 2) * 8, column = (lane % 4) * 2 + e % 2;
    for (int k = 0; k < 16; k++)
      sums[e] += held[first + row % 8 * 4 + k / 2 % 4].a[k / 8 * 4 + row / 8 * 2 + k % 2] *
                 held[first + column * 4 + k / 2 % 4].b[k / 8 * 2 + k % 2];
  }
  step();
  return {sums[0], sums[1], sums[2], sums[3]};
}
}  // namespace group

inline void __syncthreads() { group::step(); }

inline float __shfl_xor_sync(unsigned, float x, int mask) {
  group::numbers[threadIdx.x] = x;
  group::step();
  const float other = group::numbers[threadIdx.x ^ mask];
  group::step();
  return other;
}
