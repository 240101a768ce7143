// Numbers below the smallest normal one count as zero in the scope of a FlushDenormals, on this thread only:
// arithmetic with them takes a hundred times as long, and states that fade away would sit among them.
#pragma once

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

namespace unrolled {

class FlushDenormals {
 public:
#ifdef __SSE2__
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushToZero | kDenormalsAreZero); }
  ~FlushDenormals() { _mm_setcsr(before_); }
#else
  FlushDenormals() {}
#endif
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

#ifdef __SSE2__
 private:
  static constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
  unsigned before_;
#endif
};

}  // namespace unrolled
