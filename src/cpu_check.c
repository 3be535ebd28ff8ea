/* Runs before any Rust or C++ code. A binary compiled for newer instructions than this processor has would otherwise end
   with SIGILL and no word. Compiled for the baseline x86-64, whatever the rest is compiled for; build.rs passes what that is. */
#include <stdio.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NEED(feature) \
  if (!__builtin_cpu_supports(feature)) missing = feature

__attribute__((constructor(101))) static void frontdesk_cpu_check(void) {
  const char *missing = 0;
  __builtin_cpu_init();
#ifdef FRONTDESK_NEEDS_AVX2
  NEED("fma");
  NEED("avx2");
#endif
#ifdef FRONTDESK_NEEDS_AVX512
  NEED("avx512f");
  NEED("avx512bw");
  NEED("avx512vl");
#endif
#ifdef FRONTDESK_NEEDS_AVX512VNNI
  NEED("avx512vnni");
#endif
  if (missing) {
    static const char text[] =
        "frontdesk: this binary was built for a newer processor than this one (it lacks %s). "
        "Build it on this machine with scripts/start, or with RUSTFLAGS=\"-C target-cpu=x86-64\".\n";
    char line[400];
    int n = snprintf(line, sizeof line, text, missing);
    if (n > 0 && write(2, line, (size_t)n) < 0) { /* nobody to tell */ }
    _exit(78);
  }
}
#endif

/* Something to link against, so that the object file is kept. */
int frontdesk_cpu_check_is_linked(void) { return 1; }
