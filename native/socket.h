// One non-blocking datagram socket and what it shares with the others of its environment (thread). Node-API only, no
// C++ library, no exceptions. A function that returns false or nullptr has thrown, or left an exception pending.
#pragma once

#include <linux/if_packet.h>
#include <node_api.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct Socket;

// One per environment: the main thread and every Worker that loads the addon.
struct Environment {
  napi_env env;
  uv_loop_t* loop;
  napi_ref constructor;
  napi_async_context context;
  napi_async_cleanup_hook_handle hook;
  Socket* sockets;  // open ones
  int closing;      // poll handles on their way to their close callback
  bool leaving;
};

enum class Kind { packet, netlink, local };

// The mapped frames of a receive ring (ring.cc). `frames` is nullptr without a ring.
struct Ring {
  uint8_t* frames;
  size_t count;
  size_t next;  // index of the frame that the next packet comes in
};

// Maps `frames` frames, a multiple of 128. Returns the system call that failed, or nullptr.
const char* mapRing(int fd, unsigned frames, Ring* ring);
void unmapRing(const Ring& ring);

// What receive() fills: message i goes to slab + i * slot, and into row i of four numbers (native.ts).
struct Batch {
  uint8_t* slab;
  size_t slot;
  int32_t* row;
  size_t count;
};

// Moves packets from the ring into the batch, in order, and fills the rows as recvmmsg would. Returns how many.
uint32_t readRing(Ring* ring, int ifindex, const Batch& batch);

// Returns the packet type (PACKET_HOST ...) for a socket bound to `ifindex`. A packet that a device on top of the link (VLAN, macvlan)
// took has the ifindex of that device: PACKET_OTHERHOST.
int32_t packetType(const sockaddr_ll* name, int ifindex);

// What an opener found out; the wrapper adds the rest.
struct Opened {
  int fd;
  int out;  // what send() uses; -1: opened with the first packet
  Kind kind;
  sockaddr_ll to;  // the link; destination of send(), when `addressed`: a packet socket without link headers
  bool addressed;
  Ring ring;  // `frames` is nullptr where packets are received by system calls
};

// Messages in one system call.
const unsigned BATCH = 256;

// Receives what waits, up to BATCH. Returns how many, or a negative errno.
int receiveMessages(const Opened& opened, const Batch& batch);

// Defines the class and fills `environment->constructor`.
bool defineSocket(Environment* environment);

void closeOpened(const Opened& opened);

// Wraps an open descriptor, which it closes when that fails.
napi_value wrapSocket(Environment* environment, const Opened& opened);

// Closes what is open. The poll handles are gone when `environment->closing` is 0.
void closeAll(Environment* environment);

// Called once no poll handle is left while the environment is leaving; `environment` may be gone when it returns.
void leave(Environment* environment);

Environment* environmentOf(napi_env env);

// Throws an Error with code, errno (negative, as Node has it) and syscall. Returns nullptr.
napi_value throwErrno(napi_env env, int error, const char* syscall);

struct Array {
  void* data;
  size_t length;  // in elements
};

// Arguments; `name` is for the message of the TypeError or RangeError.
bool readArguments(napi_env env, napi_callback_info info, size_t count, napi_value* values, napi_value* self);
bool readArray(napi_env env, napi_value value, napi_typedarray_type type, const char* name, Array* array);
bool readInteger(napi_env env, napi_value value, double low, double high, const char* name, double* result);

// Exports.
napi_value openPacket(napi_env env, napi_callback_info info);
napi_value openNetlink(napi_env env, napi_callback_info info);
napi_value openUnix(napi_env env, napi_callback_info info);
