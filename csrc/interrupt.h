// Long work asks now and then whether its caller wants to go on: Ctrl-C must not wait for an hour of speech.
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

namespace unrolled {

// Made on the calling thread, asked by every thread that works for it.
class Interrupt {
 public:
  // `check` throws where the work is to stop; null: nothing ever stops it. It runs on the calling thread
  // alone, at most every kInterval: what it asks may take a lock.
  explicit Interrupt(void (*check)() = nullptr) : check_(check) {}

  // Whether to give up: a thread that works for the caller returns, the caller itself leaves by the
  // exception.
  bool requested() {
    if (std::this_thread::get_id() == owner_) ask();
    return stopped_.load(std::memory_order_relaxed);
  }
  // Another task has failed: the rest need not go on.
  void stop() { stopped_.store(true, std::memory_order_relaxed); }

 private:
  typedef std::chrono::steady_clock Clock;
  static constexpr Clock::duration kInterval = std::chrono::milliseconds(50);

  void ask() {
    if (!check_) return;
    const Clock::time_point now = Clock::now();
    if (now - last_ < kInterval) return;
    last_ = now;
    try {
      check_();
    } catch (...) {
      stop();
      throw;
    }
  }

  void (*check_)();
  std::atomic<bool> stopped_{false};
  const std::thread::id owner_ = std::this_thread::get_id();
  Clock::time_point last_ = Clock::now();
};

}  // namespace unrolled
