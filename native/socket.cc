// The socket class: receive and send batches (recvmmsg(2), sendmmsg(2)), readiness by uv_poll, explicit close.
//
// A socket that is not started belongs to the garbage collector; a started one is held until stop or close.

#include "socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Outlives its socket until libuv calls back.
struct Poll {
  uv_poll_t handle;  // first: one is cast to the other
  Environment* environment;
};

struct Socket {
  Opened opened;
  Environment* environment;
  Poll* poll;
  bool failed;  // an error is pending
  napi_ref self;  // these two while started
  napi_ref onReadable;
  Socket* next;
  Socket** link;  // what points here in the environment's list
};

static void onPollClosed(uv_handle_t* handle) {
  Poll* poll = reinterpret_cast<Poll*>(handle);
  Environment* environment = poll->environment;
  free(poll);
  if (--environment->closing == 0 && environment->leaving) leave(environment);
}

static void stopSocket(Socket* socket) {
  if (socket->onReadable == nullptr) return;
  napi_env env = socket->environment->env;
  uv_poll_stop(&socket->poll->handle);
  napi_delete_reference(env, socket->onReadable);
  napi_delete_reference(env, socket->self);
  socket->onReadable = socket->self = nullptr;
}

void closeOpened(const Opened& opened) {
  unmapRing(opened.ring);
  if (opened.out >= 0 && opened.out != opened.fd) close(opened.out);
  if (opened.fd >= 0) close(opened.fd);
}

static void closeSocket(Socket* socket) {
  if (socket->opened.fd < 0) return;
  stopSocket(socket);
  if (socket->poll != nullptr) {
    socket->environment->closing++;
    uv_close(reinterpret_cast<uv_handle_t*>(&socket->poll->handle), onPollClosed);
    socket->poll = nullptr;
  }
  closeOpened(socket->opened);
  socket->opened.fd = -1;
  *socket->link = socket->next;
  if (socket->next != nullptr) socket->next->link = socket->link;
}

void closeAll(Environment* environment) {
  while (environment->sockets != nullptr) closeSocket(environment->sockets);
}

// Garbage, or the environment ends: then it is closed already, and its Environment may be gone.
static void onFinalize(napi_env, void* data, void*) {
  Socket* socket = static_cast<Socket*>(data);
  closeSocket(socket);
  free(socket);
}

static void onReadable(uv_poll_t* handle, int status, int);

static int poll(Socket* socket) {
  socket->poll->handle.data = socket;
  return uv_poll_start(&socket->poll->handle, UV_READABLE, onReadable);
}

static void onReadable(uv_poll_t* handle, int status, int) {
  Socket* socket = static_cast<Socket*>(handle->data);
  // libuv stops polling at a pending socket error; receive() will report that.
  if (status < 0) {
    socket->failed = true;
    poll(socket);
  }
  Environment* environment = socket->environment;
  napi_env env = environment->env;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value self, function, error;
  // The call may close the socket: nothing of it is touched afterwards.
  if (napi_get_reference_value(env, socket->self, &self) == napi_ok &&
      napi_get_reference_value(env, socket->onReadable, &function) == napi_ok &&
      napi_make_callback(env, environment->context, self, function, 0, nullptr, nullptr) == napi_pending_exception &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok) {
    napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

// The socket behind `this`, with the arguments. Nullptr (and thrown): not a socket of ours, or a closed one.
static Socket* unwrap(napi_env env, napi_callback_info info, const char* syscall, size_t count, napi_value* values) {
  napi_value self;
  void* data = nullptr;
  if (!readArguments(env, info, count, values, &self)) return nullptr;
  if (napi_unwrap(env, self, &data) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_THIS", "not a socket");
    return nullptr;
  }
  Socket* socket = static_cast<Socket*>(data);
  if (socket->opened.fd >= 0) return socket;
  throwErrno(env, EBADF, syscall);
  return nullptr;
}

static napi_value toValue(napi_env env, uint32_t number) {
  napi_value value = nullptr;
  napi_create_uint32(env, number, &value);
  return value;
}

// Reads (slab, slot); `count` slots must fit.
static bool readSlab(napi_env env, napi_value* values, Array* slab, size_t* slot) {
  double size;
  if (!readArray(env, values[0], napi_uint8_array, "slab: a Uint8Array", slab)) return false;
  if (!readInteger(env, values[1], 1, 0x7fffffff, "slot: a positive integer", &size)) return false;
  *slot = static_cast<size_t>(size);
  return true;
}

static bool fits(napi_env env, const Array& slab, size_t slot, size_t count) {
  if (count <= slab.length / slot) return true;
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "slots beyond the slab");
  return false;
}

// What recvmmsg would report. 0: nothing.
static int pendingError(Socket* socket) {
  int error = 0;
  socklen_t size = sizeof error;
  if (socket->failed) getsockopt(socket->opened.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  socket->failed = false;
  return error;
}

static int receiveBatch(Socket* socket, const Batch& batch) {
  Ring* ring = &socket->opened.ring;
  if (ring->frames == nullptr) return receiveMessages(socket->opened, batch);
  const int received = static_cast<int>(readRing(ring, socket->opened.to.sll_ifindex, batch));
  return received > 0 ? received : -pendingError(socket);
}

static napi_value receive(napi_env env, napi_callback_info info) {
  napi_value values[3];
  Array slab, meta;
  size_t slot;
  Socket* socket = unwrap(env, info, "recvmmsg", 3, values);
  if (socket == nullptr || !readSlab(env, values, &slab, &slot)) return nullptr;
  if (!readArray(env, values[2], napi_int32_array, "meta: an Int32Array", &meta)) return nullptr;
  const size_t count = meta.length / 4;
  if (!fits(env, slab, slot, count)) return nullptr;
  const Batch batch = {static_cast<uint8_t*>(slab.data), slot, static_cast<int32_t*>(meta.data), count};
  const int received = receiveBatch(socket, batch);
  return received < 0 ? throwErrno(env, -received, "recvmmsg") : toValue(env, received);
}

// Packets leave by a socket of their own, which receives nothing (protocol 0) and nobody polls: of one that is polled,
// each packet that the other side has taken wakes the poll, in vain.
static bool openOut(Opened* opened) {
  if (opened->out >= 0) return true;
  const int fd = socket(AF_PACKET, (opened->addressed ? SOCK_DGRAM : SOCK_RAW) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  sockaddr_ll link = opened->to;
  link.sll_protocol = 0;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&link), sizeof link) < 0) {
    const int error = errno;
    close(fd);
    errno = error;
    return false;
  }
  opened->out = fd;
  return true;
}

static napi_value send(napi_env env, napi_callback_info info) {
  napi_value values[4];
  Array slab, lengths;
  size_t slot;
  double count;
  Socket* socket = unwrap(env, info, "sendmmsg", 4, values);
  if (socket == nullptr || !readSlab(env, values, &slab, &slot)) return nullptr;
  if (!readArray(env, values[2], napi_int32_array, "lengths: an Int32Array", &lengths)) return nullptr;
  if (!readInteger(env, values[3], 0, lengths.length, "count: an integer up to lengths.length", &count)) return nullptr;
  if (!fits(env, slab, slot, count)) return nullptr;
  const int32_t* length = static_cast<int32_t*>(lengths.data);
  for (size_t i = 0; i < count; i++) {
    if (length[i] >= 0 && static_cast<size_t>(length[i]) <= slot) continue;
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "a length beyond the slot");
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

static napi_value start(napi_env env, napi_callback_info info) {
  napi_value self, function;
  Socket* socket = unwrap(env, info, "poll", 1, &function);
  if (socket == nullptr || !readArguments(env, info, 0, nullptr, &self)) return nullptr;
  napi_valuetype type;
  if (napi_typeof(env, function, &type) != napi_ok || type != napi_function) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "onReadable: a function");
    return nullptr;
  }
  if (socket->poll == nullptr) {
    Poll* poll = static_cast<Poll*>(calloc(1, sizeof(Poll)));
    if (poll == nullptr) return throwErrno(env, ENOMEM, "poll");
    poll->environment = socket->environment;
    int error = uv_poll_init(socket->environment->loop, &poll->handle, socket->opened.fd);
    if (error != 0) {
      free(poll);
      return throwErrno(env, -error, "poll");
    }
    socket->poll = poll;
  }
  stopSocket(socket);
  if (napi_create_reference(env, function, 1, &socket->onReadable) != napi_ok) return nullptr;
  if (napi_create_reference(env, self, 1, &socket->self) != napi_ok) {
    napi_delete_reference(env, socket->onReadable);
    socket->onReadable = nullptr;
    return nullptr;
  }
  int error = poll(socket);
  if (error == 0) return nullptr;
  stopSocket(socket);
  return throwErrno(env, -error, "poll");
}

static napi_value stop(napi_env env, napi_callback_info info) {
  Socket* socket = unwrap(env, info, "poll", 0, nullptr);
  if (socket != nullptr) stopSocket(socket);
  return nullptr;
}

static napi_value drops(napi_env env, napi_callback_info info) {
  Socket* socket = unwrap(env, info, "getsockopt", 0, nullptr);
  if (socket == nullptr) return nullptr;
  tpacket_stats stats = {};
  socklen_t size = sizeof stats;
  if (socket->opened.kind == Kind::packet &&
      getsockopt(socket->opened.fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) < 0) {
    return throwErrno(env, errno, "getsockopt");
  }
  return toValue(env, stats.tp_drops);
}

static napi_value closeMethod(napi_env env, napi_callback_info info) {
  napi_value self;
  void* data;
  if (readArguments(env, info, 0, nullptr, &self) && napi_unwrap(env, self, &data) == napi_ok) {
    closeSocket(static_cast<Socket*>(data));
  }
  return nullptr;
}

// `new` outside of an opener makes an object that is no socket; every method says so.
static napi_value construct(napi_env env, napi_callback_info info) {
  napi_value self = nullptr;
  readArguments(env, info, 0, nullptr, &self);
  return self;
}

bool defineSocket(Environment* environment) {
  napi_property_descriptor methods[] = {
      {"receive", nullptr, receive, nullptr, nullptr, nullptr, napi_default_method, nullptr},
      {"send", nullptr, send, nullptr, nullptr, nullptr, napi_default_method, nullptr},
      {"start", nullptr, start, nullptr, nullptr, nullptr, napi_default_method, nullptr},
      {"stop", nullptr, stop, nullptr, nullptr, nullptr, napi_default_method, nullptr},
      {"drops", nullptr, drops, nullptr, nullptr, nullptr, napi_default_method, nullptr},
      {"close", nullptr, closeMethod, nullptr, nullptr, nullptr, napi_default_method, nullptr},
  };
  napi_value constructor;
  return napi_define_class(environment->env, "NativeSocket", NAPI_AUTO_LENGTH, construct, nullptr, 6, methods,
                           &constructor) == napi_ok &&
         napi_create_reference(environment->env, constructor, 1, &environment->constructor) == napi_ok;
}

napi_value wrapSocket(Environment* environment, const Opened& opened) {
  napi_env env = environment->env;
  Socket* socket = static_cast<Socket*>(calloc(1, sizeof(Socket)));
  napi_value constructor, self;
  if (socket == nullptr || napi_get_reference_value(env, environment->constructor, &constructor) != napi_ok ||
      napi_new_instance(env, constructor, 0, nullptr, &self) != napi_ok ||
      napi_wrap(env, self, socket, onFinalize, nullptr, nullptr) != napi_ok) {
    free(socket);
    closeOpened(opened);
    return throwErrno(env, ENOMEM, "socket");
  }
  socket->opened = opened;
  socket->environment = environment;
  socket->next = environment->sockets;
  socket->link = &environment->sockets;
  if (socket->next != nullptr) socket->next->link = &socket->next;
  environment->sockets = socket;
  return self;
}
