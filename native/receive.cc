// Receiving by system calls: recvmmsg(2), with what packet(7) tells of a packet besides its bytes.

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "socket.h"

union Control {
  cmsghdr header;
  char room[CMSG_SPACE(sizeof(tpacket_auxdata))];
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

int receiveMessages(const Opened& opened, const Batch& batch) {
  mmsghdr messages[BATCH];
  iovec buffers[BATCH];
  sockaddr_ll names[BATCH];
  Control controls[BATCH];
  const bool packet = opened.kind == Kind::packet;
  const size_t count = batch.count < BATCH ? batch.count : BATCH;
  memset(messages, 0, count * sizeof *messages);
  for (size_t i = 0; i < count; i++) {
    msghdr* message = &messages[i].msg_hdr;
    buffers[i] = {batch.slab + i * batch.slot, batch.slot};
    message->msg_iov = &buffers[i];
    message->msg_iovlen = 1;
    if (!packet) continue;
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
    if (packet) readAuxdata(&messages[i].msg_hdr, opened.to.sll_ifindex, row);
  }
  return received;
}
