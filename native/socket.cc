// The socket class, with readiness by uv_poll and explicit close. Its methods receive() and send() are in receive.cc and send.cc.
//
// The garbage collector closes a socket that is not started. A started socket lives until stop() or close().

#include "socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// A poll handle of a socket. The handle is freed when libuv has closed it, perhaps after the socket is freed.
struct Poll {
  uv_poll_t handle;  // the first member, because a pointer to it is cast to Poll*
  Environment* environment;
};

// The descriptors of a socket, to be closed by a thread.
struct Closing {
  uv_work_t work;  // the first member, because a pointer to it is cast to Closing*
  Environment* environment;
  Opened opened;
};

static void finishClosing(Environment* environment) {
  if (--environment->closing == 0 && environment->leaving) leave(environment);
}

static void onPollClosed(uv_handle_t* handle) {
  Poll* poll = reinterpret_cast<Poll*>(handle);
  Environment* environment = poll->environment;
  free(poll);
  finishClosing(environment);
}

static void stopWatch(Socket* socket, Watch* watch) {
  if (watch->callback == nullptr) return;
  napi_env env = socket->environment->env;
  uv_poll_stop(&watch->poll->handle);
  napi_delete_reference(env, watch->callback);
  napi_delete_reference(env, watch->self);
  watch->callback = watch->self = nullptr;
}

static void closeWatch(Socket* socket, Watch* watch) {
  stopWatch(socket, watch);
  if (watch->poll == nullptr) return;
  socket->environment->closing++;
  uv_close(reinterpret_cast<uv_handle_t*>(&watch->poll->handle), onPollClosed);
  watch->poll = nullptr;
}

void closeOpened(const Opened& opened) {
  unmapRing(opened.ring);
  if (opened.out >= 0 && opened.out != opened.fd) close(opened.out);
  if (opened.fd >= 0) close(opened.fd);
}

static void closeNow(Environment*, const Opened& opened) { closeOpened(opened); }

static void closeInThread(uv_work_t* work) { closeOpened(reinterpret_cast<Closing*>(work)->opened); }

static void onClosed(uv_work_t* work, int) {
  Closing* closing = reinterpret_cast<Closing*>(work);
  Environment* environment = closing->environment;
  free(closing);
  finishClosing(environment);
}

// Closes the descriptors in a thread, because hundreds of links may go at once. Each close of a packet socket waits for an RCU grace
// period, tens of milliseconds (packet_release() of Linux).
static void closeByThread(Environment* environment, const Opened& opened) {
  Closing* closing = static_cast<Closing*>(calloc(1, sizeof(Closing)));
  if (closing == nullptr) return closeOpened(opened);
  closing->environment = environment;
  closing->opened = opened;
  if (uv_queue_work(environment->loop, &closing->work, closeInThread, onClosed) == 0) {
    environment->closing++;
  } else {
    free(closing);
    closeOpened(opened);
  }
}

static void closeSocket(Socket* socket, void (*closeDescriptors)(Environment*, const Opened&)) {
  if (socket->opened.fd < 0) return;
  closeWatch(socket, &socket->readable);
  closeWatch(socket, &socket->writable);
  closeDescriptors(socket->environment, socket->opened);
  socket->opened.fd = -1;
  *socket->link = socket->next;
  if (socket->next != nullptr) socket->next->link = socket->link;
}

void closeAll(Environment* environment) {
  while (environment->sockets != nullptr) closeSocket(environment->sockets, closeNow);
}

// Called at garbage collection, or after the environment ended. In the second case the socket is already closed, and its Environment may
// no longer exist.
static void onFinalize(napi_env, void* data, void*) {
  Socket* socket = static_cast<Socket*>(data);
  closeSocket(socket, closeNow);
  free(socket);
}

// Calls `function`, which may close the socket: the caller must not use `socket` afterwards.
static void call(Socket* socket, napi_value self, napi_value function) {
  Environment* environment = socket->environment;
  napi_env env = environment->env;
  napi_value error;
  if (napi_make_callback(env, environment->context, self, function, 0, nullptr, nullptr) == napi_pending_exception &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok) {
    napi_fatal_exception(env, error);
  }
}

static void onReadable(uv_poll_t* handle, int status, int) {
  Socket* socket = static_cast<Socket*>(handle->data);
  // libuv stopped polling because of a socket error: start again. receive() reports the error.
  if (status < 0) {
    socket->failed = true;
    uv_poll_start(handle, UV_READABLE, onReadable);
  }
  napi_env env = socket->environment->env;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value self, function;
  if (napi_get_reference_value(env, socket->readable.self, &self) == napi_ok &&
      napi_get_reference_value(env, socket->readable.callback, &function) == napi_ok) {
    call(socket, self, function);
  }
  napi_close_handle_scope(env, scope);
}

// Calls back once, also after a socket error, which send() reports.
static void onWritable(uv_poll_t* handle, int, int) {
  Socket* socket = static_cast<Socket*>(handle->data);
  napi_env env = socket->environment->env;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value self, function;
  const bool isFound = napi_get_reference_value(env, socket->writable.self, &self) == napi_ok &&
                       napi_get_reference_value(env, socket->writable.callback, &function) == napi_ok;
  stopWatch(socket, &socket->writable);
  if (isFound) call(socket, self, function);
  napi_close_handle_scope(env, scope);
}

Socket* unwrap(napi_env env, napi_callback_info info, const char* syscall, size_t count, napi_value* values) {
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

// Watches `fd`, and replaces the callback. Throws a JavaScript exception if that fails.
static void startWatch(Socket* socket, Watch* watch, int fd, int events, uv_poll_cb onEvent, napi_value self, napi_value function) {
  napi_env env = socket->environment->env;
  if (watch->poll == nullptr) {
    Poll* poll = static_cast<Poll*>(calloc(1, sizeof(Poll)));
    int error = poll == nullptr ? UV_ENOMEM : uv_poll_init(socket->environment->loop, &poll->handle, fd);
    if (error != 0) {
      free(poll);
      throwErrno(env, -error, "poll");
      return;
    }
    poll->environment = socket->environment;
    poll->handle.data = socket;
    watch->poll = poll;
  }
  stopWatch(socket, watch);
  if (napi_create_reference(env, function, 1, &watch->callback) != napi_ok) return;
  if (napi_create_reference(env, self, 1, &watch->self) != napi_ok) {
    napi_delete_reference(env, watch->callback);
    watch->callback = nullptr;
    return;
  }
  int error = uv_poll_start(&watch->poll->handle, events, onEvent);
  if (error == 0) return;
  stopWatch(socket, watch);
  throwErrno(env, -error, "poll");
}

// Reads `this` and the only argument, which has to be a function. Throws and returns nullptr if it is none, or if the socket is closed.
static Socket* readCallback(napi_env env, napi_callback_info info, const char* wrong, napi_value* self, napi_value* function) {
  Socket* socket = unwrap(env, info, "poll", 1, function);
  if (socket == nullptr || !readArguments(env, info, 0, nullptr, self)) return nullptr;
  napi_valuetype type;
  if (napi_typeof(env, *function, &type) == napi_ok && type == napi_function) return socket;
  throwType(env, wrong);
  return nullptr;
}

static napi_value start(napi_env env, napi_callback_info info) {
  napi_value self, function;
  Socket* socket = readCallback(env, info, "onReadable: a function", &self, &function);
  if (socket != nullptr) startWatch(socket, &socket->readable, socket->opened.fd, UV_READABLE, onReadable, self, function);
  return nullptr;
}

static napi_value drain(napi_env env, napi_callback_info info) {
  napi_value self, function;
  Socket* socket = readCallback(env, info, "onWritable: a function", &self, &function);
  if (socket == nullptr) return nullptr;
  if (!socket->opened.isPacket) {
    throwType(env, "drain: packet sockets only");
    return nullptr;
  }
  if (!openOut(&socket->opened)) return throwErrno(env, errno, "poll");
  startWatch(socket, &socket->writable, socket->opened.out, UV_WRITABLE, onWritable, self, function);
  return nullptr;
}

static napi_value stop(napi_env env, napi_callback_info info) {
  Socket* socket = unwrap(env, info, "poll", 0, nullptr);
  if (socket != nullptr) stopWatch(socket, &socket->readable);
  return nullptr;
}

static napi_value drops(napi_env env, napi_callback_info info) {
  Socket* socket = unwrap(env, info, "getsockopt", 0, nullptr);
  if (socket == nullptr) return nullptr;
  tpacket_stats stats = {};
  socklen_t size = sizeof stats;
  if (socket->opened.isPacket && getsockopt(socket->opened.fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) < 0) {
    return throwErrno(env, errno, "getsockopt");
  }
  return toValue(env, stats.tp_drops);
}

static napi_value closeMethod(napi_env env, napi_callback_info info) {
  napi_value self, argument;
  size_t count = 1;
  void* data;
  bool isLater = false;
  if (napi_get_cb_info(env, info, &count, &argument, &self, nullptr) == napi_ok && napi_unwrap(env, self, &data) == napi_ok) {
    if (count == 1) napi_get_value_bool(env, argument, &isLater);
    closeSocket(static_cast<Socket*>(data), isLater ? closeByThread : closeNow);
  }
  return nullptr;
}

// An object that JavaScript makes by `new` has no socket: all its methods but close() throw.
static napi_value construct(napi_env env, napi_callback_info info) {
  napi_value self = nullptr;
  readArguments(env, info, 0, nullptr, &self);
  return self;
}

bool defineSocket(Environment* environment) {
  napi_property_descriptor methods[] = {
      {"receive", nullptr, receiveBatch, nullptr, nullptr, nullptr, napi_default_method, nullptr},
      {"send", nullptr, sendBatch, nullptr, nullptr, nullptr, napi_default_method, nullptr},
      {"start", nullptr, start, nullptr, nullptr, nullptr, napi_default_method, nullptr},
      {"drain", nullptr, drain, nullptr, nullptr, nullptr, napi_default_method, nullptr},
      {"stop", nullptr, stop, nullptr, nullptr, nullptr, napi_default_method, nullptr},
      {"drops", nullptr, drops, nullptr, nullptr, nullptr, napi_default_method, nullptr},
      {"close", nullptr, closeMethod, nullptr, nullptr, nullptr, napi_default_method, nullptr},
  };
  napi_value constructor;
  return napi_define_class(environment->env, "NativeSocket", NAPI_AUTO_LENGTH, construct, nullptr, 7, methods, &constructor) == napi_ok &&
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
