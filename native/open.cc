// Openers of packet(7), netlink(7) and unix(7) datagram sockets with their options. The filter is attached before bind, so nothing
// arrives unfiltered.

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <arpa/inet.h>

#include "socket.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

static const int TYPE = SOCK_CLOEXEC | SOCK_NONBLOCK;

static bool setOption(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// Sets a buffer size. The forced size needs CAP_NET_ADMIN; without it the system's limit applies.
static bool setBuffer(int fd, int forced, int option, int bytes) {
  return bytes == 0 || setOption(fd, SOL_SOCKET, forced, bytes) || setOption(fd, SOL_SOCKET, option, bytes);
}

static bool attach(int fd, const Array& filter) {
  if (filter.length == 0) return true;
  sock_fprog program = {static_cast<unsigned short>(filter.length / sizeof(sock_filter)), static_cast<sock_filter*>(filter.data)};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

static bool readFilter(napi_env env, napi_value value, Array* filter) {
  if (!readArray(env, value, napi_uint8_array, "filter: a Uint8Array", filter)) return false;
  const bool isWhole = filter->length % sizeof(sock_filter) == 0;
  return (isWhole && filter->length / sizeof(sock_filter) <= BPF_MAXINSNS) || throwRange(env, "filter: up to 4096 instructions of 8 bytes");
}

// Wraps `opened`; or, if `failed` names a system call, closes `opened` and throws errno.
static napi_value finish(napi_env env, const Opened& opened, const char* failed) {
  if (failed == nullptr) return wrapSocket(environmentOf(env), opened);
  int error = errno;
  closeOpened(opened);
  return throwErrno(env, error, failed);
}

struct PacketOptions {
  int ifindex, protocol, receiveBuffer, ring;
  bool promiscuous, allMulticast, cooked;
  Array filter;
};

static bool isUndefined(napi_env env, napi_value value) {
  napi_valuetype type;
  return napi_typeof(env, value, &type) == napi_ok && type == napi_undefined;
}

// Reads a property. `result` keeps its value if the property is `optional` and absent.
static bool readProperty(napi_env env, napi_value object, const char* name, double high, int* result, bool optional = false) {
  napi_value value;
  double number;
  if (napi_get_named_property(env, object, name, &value) != napi_ok) return false;
  if (optional && isUndefined(env, value)) return true;
  if (!readInteger(env, value, 0, high, name, &number)) return false;
  *result = static_cast<int>(number);
  return true;
}

static bool readFlag(napi_env env, napi_value object, const char* name, bool* result, bool optional = false) {
  napi_value value;
  if (napi_get_named_property(env, object, name, &value) != napi_ok) return false;
  return (optional && isUndefined(env, value)) || napi_get_value_bool(env, value, result) == napi_ok || throwType(env, name);
}

static bool readPacketOptions(napi_env env, napi_value object, PacketOptions* options) {
  napi_valuetype type;
  napi_value filter;
  if (napi_typeof(env, object, &type) != napi_ok || type != napi_object) return throwType(env, "options: an object");
  return readProperty(env, object, "ifindex", 0x7fffffff, &options->ifindex) &&
         readProperty(env, object, "protocol", 0xffff, &options->protocol) &&
         readProperty(env, object, "receiveBuffer", 0x3fffffff, &options->receiveBuffer) &&
         readProperty(env, object, "ring", 0x100000, &options->ring, true) &&
         readFlag(env, object, "promiscuous", &options->promiscuous) &&
         readFlag(env, object, "allMulticast", &options->allMulticast, true) &&
         readFlag(env, object, "cooked", &options->cooked) &&
         napi_get_named_property(env, object, "filter", &filter) == napi_ok &&
         readFilter(env, filter, &options->filter);
}

static bool addMembership(int fd, int ifindex, unsigned short type) {
  packet_mreq membership = {};
  membership.mr_ifindex = ifindex;
  membership.mr_type = type;
  return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership) == 0;
}

// Returns the system call that failed, or nullptr.
static const char* configurePacket(int fd, const PacketOptions& options, const sockaddr_ll& link, Ring* ring) {
  if (!setOption(fd, SOL_PACKET, PACKET_AUXDATA, 1)) return "setsockopt";
  if (!setBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options.receiveBuffer)) return "setsockopt";
  // Linux before 4.20 lacks this option. There, the JavaScript side drops the packets that this machine sent.
  if (options.protocol != ETH_P_ALL) setOption(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
  if (!attach(fd, options.filter)) return "setsockopt";
  if (options.ring > 0) {
    const char* failed = mapRing(fd, static_cast<unsigned>(options.ring), ring);
    if (failed != nullptr) return failed;
  }
  if (options.allMulticast && !addMembership(fd, options.ifindex, PACKET_MR_ALLMULTI)) return "setsockopt";
  if (options.promiscuous && !addMembership(fd, options.ifindex, PACKET_MR_PROMISC)) return "setsockopt";
  return bind(fd, reinterpret_cast<const sockaddr*>(&link), sizeof link) < 0 ? "bind" : nullptr;
}

napi_value openPacket(napi_env env, napi_callback_info info) {
  napi_value object;
  PacketOptions options = {};
  options.allMulticast = true;
  if (!readArguments(env, info, 1, &object, nullptr) || !readPacketOptions(env, object, &options)) return nullptr;
  sockaddr_ll link = {};
  link.sll_family = AF_PACKET;
  link.sll_protocol = htons(options.protocol);
  link.sll_ifindex = options.ifindex;
  Opened opened = {-1, -1, true, link, options.cooked, {}};
  opened.to.sll_protocol = htons(ETH_P_IPV6);
  opened.to.sll_halen = ETH_ALEN;
  memset(opened.to.sll_addr, 0xff, ETH_ALEN);
  opened.fd = socket(AF_PACKET, (options.cooked ? SOCK_DGRAM : SOCK_RAW) | TYPE, 0);
  return finish(env, opened, opened.fd < 0 ? "socket" : configurePacket(opened.fd, options, link, &opened.ring));
}

// Opens the socket for sending, which receives nothing (protocol 0). The socket is polled only while messages wait, because every packet
// that the link takes from the kernel's queue may wake the poll.
bool openOut(Opened* opened) {
  if (opened->out >= 0) return true;
  const int fd = socket(AF_PACKET, (opened->addressed ? SOCK_DGRAM : SOCK_RAW) | TYPE, 0);
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

static const char* configureNetlink(int fd, const Array& groups, const Array& filter, int receive, int send) {
  const int flags[] = {NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK, NETLINK_CAP_ACK};
  for (int option : flags) {
    if (!setOption(fd, SOL_NETLINK, option, 1)) return "setsockopt";
  }
  if (!setBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, receive) || !setBuffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, send)) return "setsockopt";
  if (!attach(fd, filter)) return "setsockopt";
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) return "bind";
  const uint32_t* group = static_cast<uint32_t*>(groups.data);
  for (size_t i = 0; i < groups.length; i++) {
    if (!setOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, static_cast<int>(group[i]))) return "setsockopt";
  }
  return nullptr;
}

napi_value openNetlink(napi_env env, napi_callback_info info) {
  napi_value values[5];
  Array groups, filter;
  double protocol, receive, send = 0;
  if (!readArguments(env, info, 5, values, nullptr) || !readInteger(env, values[0], 0, 255, "protocol", &protocol) ||
      !readArray(env, values[1], napi_uint32_array, "groups: a Uint32Array", &groups) ||
      !readFilter(env, values[2], &filter) || !readInteger(env, values[3], 0, 0x3fffffff, "receiveBuffer", &receive) ||
      (!isUndefined(env, values[4]) && !readInteger(env, values[4], 0, 0x3fffffff, "sendBuffer", &send))) {
    return nullptr;
  }
  const int fd = socket(AF_NETLINK, SOCK_RAW | TYPE, static_cast<int>(protocol));
  Opened opened = {fd, fd, false, {}, false, {}};
  return finish(env, opened, opened.fd < 0 ? "socket" : configureNetlink(opened.fd, groups, filter, receive, send));
}

struct Name {
  sockaddr_un address;
  socklen_t size;  // 0: no name
};

static bool readName(napi_env env, napi_value value, Name* name) {
  // Longer than `sun_path`, to detect names that do not fit.
  char text[sizeof name->address.sun_path + 2];
  size_t length;
  if (napi_get_value_string_utf8(env, value, text, sizeof text, &length) != napi_ok) return throwType(env, "name: a string");
  if (length >= sizeof name->address.sun_path) return throwRange(env, "name: up to 107 bytes");
  memset(name, 0, sizeof *name);
  name->address.sun_family = AF_UNIX;
  memcpy(name->address.sun_path, text, length);
  bool abstract = text[0] == '@';
  if (abstract) name->address.sun_path[0] = '\0';
  if (length > 0) name->size = offsetof(sockaddr_un, sun_path) + length + (abstract ? 0 : 1);
  return true;
}

static const char* configureUnix(int fd, const Name& own, const Name& peer) {
  if (own.size > 0 && bind(fd, reinterpret_cast<const sockaddr*>(&own.address), own.size) < 0) return "bind";
  if (peer.size > 0 && connect(fd, reinterpret_cast<const sockaddr*>(&peer.address), peer.size) < 0) return "connect";
  return nullptr;
}

napi_value openUnix(napi_env env, napi_callback_info info) {
  napi_value values[2];
  Name own, peer;
  if (!readArguments(env, info, 2, values, nullptr)) return nullptr;
  if (!readName(env, values[0], &own) || !readName(env, values[1], &peer)) return nullptr;
  const int fd = socket(AF_UNIX, SOCK_DGRAM | TYPE, 0);
  Opened opened = {fd, fd, false, {}, false, {}};
  return finish(env, opened, opened.fd < 0 ? "socket" : configureUnix(opened.fd, own, peer));
}
