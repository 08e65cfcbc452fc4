// Declarations of the addon: sockets that move datagrams and parse none. Node-API only, no C++ library, no C++
// exceptions. If a function returns false or nullptr, a JavaScript exception is pending, except where the comment of the function gives
// another meaning.
#pragma once

#include <linux/if_packet.h>
#include <node_api.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct Socket;
struct Poll;

// The addon's data of one Node environment: the main thread, or a Worker that loads the addon.
struct Environment {
  napi_env env;
  uv_loop_t* loop;
  napi_ref constructor;
  napi_async_context context;
  napi_async_cleanup_hook_handle hook;
  Socket* sockets;  // list of the open sockets
  int closing;      // poll handles and threads whose close callback is pending
  bool leaving;
};

// The mapped frames of a receive ring (ring.cc). `frames` is nullptr without a ring.
struct Ring {
  uint8_t* frames;
  size_t count;
  size_t next;  // index of the frame for the next packet
};

// Sets up and maps a ring of `frames` frames, a multiple of 128. Returns the system call that failed, or nullptr.
const char* mapRing(int fd, unsigned frames, Ring* ring);
void unmapRing(const Ring& ring);

// The memory that receive() fills: message i goes to slab + i * slot, and four numbers about it go to row i (native.ts).
struct Batch {
  uint8_t* slab;
  size_t slot;
  int32_t* row;
  size_t count;
};

// Moves packets from the ring into the batch, in order, and fills the rows as after recvmmsg. Returns the number of packets.
uint32_t readRing(Ring* ring, int ifindex, const Batch& batch);

// Returns the packet type (PACKET_HOST ...) for a socket bound to `ifindex`. Returns PACKET_OTHERHOST for a packet
// that a device on top of the link (VLAN, macvlan) took, because the packet has the ifindex of that device.
int32_t packetType(const sockaddr_ll* name, int ifindex);

// An open descriptor with its properties.
struct Opened {
  int fd;
  int out;  // the descriptor that send() uses; -1 for a packet socket until its first send() or drain()
  bool isPacket;
  sockaddr_ll to;  // the link of a packet socket, and the destination of send() if `addressed`
  bool addressed;  // a packet socket without link headers
  Ring ring;
};

// One direction of a socket, watched by uv_poll.
struct Watch {
  Poll* poll;     // allocated when the watch first starts
  napi_ref self;  // the socket object; held from start to stop, as is `callback`
  napi_ref callback;
};

struct Socket {
  Opened opened;
  Environment* environment;
  Watch readable;
  Watch writable;
  bool failed;  // uv_poll reported an error on `readable`; with a ring, receive() reads the error and clears this flag once the ring is empty
  Socket* next;
  Socket** link;  // the pointer to this socket in the environment's list
};

// Largest number of messages in one system call.
const unsigned BATCH = 256;

// Defines the class and fills `environment->constructor`.
bool defineSocket(Environment* environment);

void closeOpened(const Opened& opened);

// Wraps an open descriptor; closes it if that fails.
napi_value wrapSocket(Environment* environment, const Opened& opened);

// Closes all sockets. Their poll handles are closed once `environment->closing` is 0.
void closeAll(Environment* environment);

// Ends the environment, which may no longer exist when this returns. Called when no close callback is pending.
void leave(Environment* environment);

Environment* environmentOf(napi_env env);

// Throws an Error with code, errno (negative, as in Node) and syscall. Returns nullptr.
napi_value throwErrno(napi_env env, int error, const char* syscall);

// Throw a TypeError or a RangeError, and return false.
bool throwType(napi_env env, const char* message);
bool throwRange(napi_env env, const char* message);

struct Array {
  void* data;
  size_t length;  // in elements
};

// Read arguments; `name` is the message of the TypeError or RangeError.
bool readArguments(napi_env env, napi_callback_info info, size_t count, napi_value* values, napi_value* self);
bool readArray(napi_env env, napi_value value, napi_typedarray_type type, const char* name, Array* array);
bool readInteger(napi_env env, napi_value value, double low, double high, const char* name, double* result);
bool readSlab(napi_env env, napi_value* values, Array* slab, size_t* slot);
// Throws a RangeError if `count` slots exceed the slab.
bool fitsSlab(napi_env env, const Array& slab, size_t slot, size_t count);

napi_value toValue(napi_env env, uint32_t number);

// Returns the socket behind `this`, and reads the arguments. Throws if `this` is no socket, or a closed one.
Socket* unwrap(napi_env env, napi_callback_info info, const char* syscall, size_t count, napi_value* values);

// Opens the descriptor that send() uses, unless it is open. Returns false and sets errno if that fails.
bool openOut(Opened* opened);

// Methods of the class.
napi_value receiveBatch(napi_env env, napi_callback_info info);
napi_value sendBatch(napi_env env, napi_callback_info info);

// Exports of the module.
napi_value openPacket(napi_env env, napi_callback_info info);
napi_value openNetlink(napi_env env, napi_callback_info info);
napi_value openUnix(napi_env env, napi_callback_info info);
