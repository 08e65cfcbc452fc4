// Receiving batches: from a ring (ring.cc), or by recvmmsg(2) with the ancillary data of packet(7).

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "socket.h"

union Control {
  cmsghdr header;
  char space[CMSG_SPACE(sizeof(tpacket_auxdata))];
};

int32_t packetType(const sockaddr_ll* name, int ifindex) {
  return name->sll_ifindex == ifindex ? name->sll_pkttype : PACKET_OTHERHOST;
}

static void readAuxdata(msghdr* message, int ifindex, int32_t* meta) {
  meta[1] = packetType(static_cast<sockaddr_ll*>(message->msg_name), ifindex);
  for (cmsghdr* c = CMSG_FIRSTHDR(message); c != nullptr; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) continue;
    tpacket_auxdata aux;
    memcpy(&aux, CMSG_DATA(c), sizeof aux);
    meta[2] = static_cast<int32_t>(aux.tp_status);
    meta[3] = aux.tp_vlan_tci;
  }
}

// Receives the waiting messages, up to BATCH. Returns how many, or a negative errno.
static int receiveMessages(const Opened& opened, const Batch& batch) {
  mmsghdr messages[BATCH];
  iovec buffers[BATCH];
  sockaddr_ll names[BATCH];
  Control controls[BATCH];
  const size_t count = batch.count < BATCH ? batch.count : BATCH;
  memset(messages, 0, count * sizeof *messages);
  for (size_t i = 0; i < count; i++) {
    msghdr* message = &messages[i].msg_hdr;
    buffers[i] = {batch.slab + i * batch.slot, batch.slot};
    message->msg_iov = &buffers[i];
    message->msg_iovlen = 1;
    if (!opened.isPacket) continue;
    message->msg_name = &names[i];
    message->msg_namelen = sizeof names[i];
    message->msg_control = &controls[i];
    message->msg_controllen = sizeof controls[i];
  }
  int received;
  do {
    received = recvmmsg(opened.fd, messages, count, MSG_DONTWAIT | MSG_TRUNC, nullptr);
  } while (received < 0 && errno == EINTR);
  if (received < 0) return errno == EAGAIN ? 0 : -errno;

  int32_t* row = batch.row;
  for (int i = 0; i < received; i++, row += 4) {
    row[0] = static_cast<int32_t>(messages[i].msg_len);
    row[1] = row[2] = row[3] = 0;
    if (opened.isPacket) readAuxdata(&messages[i].msg_hdr, opened.to.sll_ifindex, row);
  }
  return received;
}

// Returns the pending errno of a socket with a ring, or 0. recvmmsg would report this error; reading the ring does not.
static int pendingError(Socket* socket) {
  int error = 0;
  socklen_t size = sizeof error;
  if (socket->failed) getsockopt(socket->opened.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  socket->failed = false;
  return error;
}

static int fillBatch(Socket* socket, const Batch& batch) {
  Ring* ring = &socket->opened.ring;
  if (ring->frames == nullptr) return receiveMessages(socket->opened, batch);
  const int received = static_cast<int>(readRing(ring, socket->opened.to.sll_ifindex, batch));
  return received > 0 ? received : -pendingError(socket);
}

napi_value receiveBatch(napi_env env, napi_callback_info info) {
  napi_value values[3];
  Array slab, meta;
  size_t slot;
  Socket* socket = unwrap(env, info, "recvmmsg", 3, values);
  if (socket == nullptr || !readSlab(env, values, &slab, &slot)) return nullptr;
  if (!readArray(env, values[2], napi_int32_array, "meta: an Int32Array", &meta)) return nullptr;
  const size_t count = meta.length / 4;
  if (!fitsSlab(env, slab, slot, count)) return nullptr;
  const Batch batch = {static_cast<uint8_t*>(slab.data), slot, static_cast<int32_t*>(meta.data), count};
  const int received = fillBatch(socket, batch);
  return received < 0 ? throwErrno(env, -received, "recvmmsg") : toValue(env, received);
}
