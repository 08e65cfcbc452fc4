// Gives memory back that only the start needed: free heap (malloc_trim(3)), and clean pages of program files, which the
// kernel maps again from its page cache when they are touched (madvise(2), MADV_DONTNEED).
//
// Large tables have mappings of their own (mallopt(3), M_MMAP_THRESHOLD). By default glibc puts them among the small things
// once it saw some of them go: what they leave when they grow stays full of holes then.

#include <malloc.h>
#include <stdio.h>
#include <sys/mman.h>

#include "socket.h"

// One mapping of /proc/self/smaps (proc_pid_smaps(5)).
struct Mapping {
  unsigned long start, end;
  bool isReadOnlyFile;  // private, from a file
  bool isClean;         // so far: nothing in it differs from the file (relocations do)
};

static void release(const Mapping& mapping) {
  if (!mapping.isReadOnlyFile || !mapping.isClean) return;
  madvise(reinterpret_cast<void*>(mapping.start), mapping.end - mapping.start, MADV_DONTNEED);
}

void mapLargeMemory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 128 * 1024);
#endif
}

napi_value trimMemory(napi_env, napi_callback_info) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  FILE* file = fopen("/proc/self/smaps", "re");
  if (file == nullptr) return nullptr;
  Mapping mapping = {};
  char line[512];
  while (fgets(line, sizeof line, file) != nullptr) {
    unsigned long start, end, offset, inode, kilobytes;
    char flags[5];
    if (sscanf(line, "%lx-%lx %4s %lx %*s %lu", &start, &end, flags, &offset, &inode) == 5) {
      release(mapping);
      mapping = {start, end, flags[0] == 'r' && flags[1] == '-' && flags[3] == 'p' && inode != 0, true};
    } else if (sscanf(line, "Private_Dirty: %lu", &kilobytes) == 1 || sscanf(line, "Shared_Dirty: %lu", &kilobytes) == 1 ||
               sscanf(line, "Anonymous: %lu", &kilobytes) == 1) {
      mapping.isClean &= kilobytes == 0;
    }
  }
  release(mapping);
  fclose(file);
  return nullptr;
}
