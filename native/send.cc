// Sending batches: sendmmsg(2).

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "socket.h"

napi_value sendBatch(napi_env env, napi_callback_info info) {
  napi_value values[4];
  Array slab, lengths;
  size_t slot;
  double count;
  Socket* socket = unwrap(env, info, "sendmmsg", 4, values);
  if (socket == nullptr || !readSlab(env, values, &slab, &slot)) return nullptr;
  if (!readArray(env, values[2], napi_int32_array, "lengths: an Int32Array", &lengths)) return nullptr;
  if (!readInteger(env, values[3], 0, lengths.length, "count: an integer up to lengths.length", &count)) return nullptr;
  if (!fitsSlab(env, slab, slot, count)) return nullptr;
  const int32_t* length = static_cast<int32_t*>(lengths.data);
  for (size_t i = 0; i < count; i++) {
    if (length[i] >= 0 && static_cast<size_t>(length[i]) <= slot) continue;
    throwRange(env, "a length beyond the slot");
    return nullptr;
  }

  if (!openOut(&socket->opened)) return throwErrno(env, errno, "sendmmsg");
  mmsghdr messages[BATCH];
  iovec buffers[BATCH];
  size_t done = 0;
  while (done < count) {
    size_t batch = count - done < BATCH ? count - done : BATCH;
    memset(messages, 0, batch * sizeof *messages);
    for (size_t i = 0; i < batch; i++) {
      msghdr* message = &messages[i].msg_hdr;
      buffers[i] = {static_cast<uint8_t*>(slab.data) + (done + i) * slot, static_cast<size_t>(length[done + i])};
      message->msg_iov = &buffers[i];
      message->msg_iovlen = 1;
      if (!socket->opened.addressed) continue;
      message->msg_name = &socket->opened.to;
      message->msg_namelen = sizeof socket->opened.to;
    }
    int sent = sendmmsg(socket->opened.out, messages, batch, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && done == 0 && errno != EAGAIN) return throwErrno(env, errno, "sendmmsg");
    if (sent < 0) break;
    done += sent;
    if (static_cast<size_t>(sent) < batch) break;
  }
  return toValue(env, done);
}
