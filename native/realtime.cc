// Realtime scheduling (sched(7)). By the system call: musl has no function for it.

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "socket.h"

napi_value useRealtime(napi_env env, napi_callback_info) {
  const sched_param lowest = {.sched_priority = 1};
  if (syscall(SYS_sched_setscheduler, 0, SCHED_RR | SCHED_RESET_ON_FORK, &lowest) == 0) return nullptr;
  return throwErrno(env, errno, "sched_setscheduler");
}
