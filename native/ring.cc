// The receive ring of a packet socket: the kernel copies each packet into the next frame (TPACKET_V2, packet(7)), where it is
// read without a system call.

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "socket.h"

// Frames that hold what is worth reading of a packet, and as many as come while the event loop is busy elsewhere.
static const unsigned FRAME = 512, FRAMES_IN_BLOCK = 128;

const char* mapRing(int fd, unsigned frames, Ring* ring) {
  const unsigned blocks = frames / FRAMES_IN_BLOCK;
  tpacket_req request = {FRAME * FRAMES_IN_BLOCK, blocks, FRAME, blocks * FRAMES_IN_BLOCK};
  const int version = TPACKET_V2;
  if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0) return "setsockopt";
  if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0) return "setsockopt";
  void* start = mmap(nullptr, size_t{FRAME} * request.tp_frame_nr, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (start == MAP_FAILED) return "mmap";
  *ring = {static_cast<uint8_t*>(start), FRAME, request.tp_frame_nr, 0};
  return nullptr;
}

void unmapRing(const Ring& ring) {
  if (ring.frames != nullptr) munmap(ring.frames, ring.count * ring.size);
}

int32_t packetType(const sockaddr_ll* name, int ifindex) {
  // The kernel shows a link also what a device on top of it (VLAN, macvlan) has taken, as that device's.
  return name->sll_ifindex == ifindex ? name->sll_pkttype : PACKET_OTHERHOST;
}

// JavaScript gets copies only: a mapping that it held could not be taken away when the socket closes.
uint32_t readRing(Ring* ring, int ifindex, Batch batch) {
  auto [slab, slot, row, count] = batch;
  uint32_t received = 0;
  for (; received < count; received++, slab += slot, row += 4) {
    uint8_t* frame = ring->frames + ring->next * ring->size;
    tpacket2_hdr* header = reinterpret_cast<tpacket2_hdr*>(frame);
    const uint32_t status = __atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE);
    if ((status & TP_STATUS_USER) == 0) break;
    const sockaddr_ll* name = reinterpret_cast<sockaddr_ll*>(frame + TPACKET_ALIGN(sizeof *header));
    memcpy(slab, frame + header->tp_mac, header->tp_snaplen < slot ? header->tp_snaplen : slot);
    row[0] = static_cast<int32_t>(header->tp_len);
    row[1] = packetType(name, ifindex);
    row[2] = static_cast<int32_t>(status);
    row[3] = header->tp_vlan_tci;
    __atomic_store_n(&header->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    if (++ring->next == ring->count) ring->next = 0;
  }
  return received;
}
