// The receive ring of a packet socket (packet(7), TPACKET_V2): the kernel copies packets into mapped frames of one size, in turn.
// Each frame has an owner, in `tp_status`: the kernel while the frame is free, this program while TP_STATUS_USER is set.
// A reader takes packets without a system call; it only looks at the next frame and gives the frame back.

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "socket.h"

// FRAME: size of a frame in bytes. After the kernel's headers, a frame has space for some 430 bytes of a packet: more than an NS or NA needs.
static const unsigned FRAME = 512, FRAMES_IN_BLOCK = 128;

const char* mapRing(int fd, unsigned frames, Ring* ring) {
  const unsigned blocks = frames / FRAMES_IN_BLOCK;
  tpacket_req request = {FRAME * FRAMES_IN_BLOCK, blocks, FRAME, frames};
  const int version = TPACKET_V2;
  if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0) return "setsockopt";
  if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0) return "setsockopt";
  void* start = mmap(nullptr, size_t{FRAME} * frames, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (start == MAP_FAILED) return "mmap";
  *ring = {static_cast<uint8_t*>(start), frames, 0};
  return nullptr;
}

void unmapRing(const Ring& ring) {
  if (ring.frames != nullptr) munmap(ring.frames, ring.count * FRAME);
}

// Copies a frame into slot and row `i` of the batch. The mapping ends when the socket closes, so JavaScript gets no view of the mapping.
static void copyFrame(const uint8_t* frame, uint32_t status, int ifindex, const Batch& batch, size_t i) {
  const tpacket2_hdr* header = reinterpret_cast<const tpacket2_hdr*>(frame);
  const sockaddr_ll* name = reinterpret_cast<const sockaddr_ll*>(frame + TPACKET_ALIGN(sizeof *header));
  int32_t* row = batch.row + 4 * i;
  memcpy(batch.slab + i * batch.slot, frame + header->tp_mac, header->tp_snaplen < batch.slot ? header->tp_snaplen : batch.slot);
  row[0] = static_cast<int32_t>(header->tp_len);
  row[1] = packetType(name, ifindex);
  row[2] = static_cast<int32_t>(status);
  row[3] = header->tp_vlan_tci;
}

uint32_t readRing(Ring* ring, int ifindex, const Batch& batch) {
  uint32_t received = 0;
  for (; received < batch.count; received++) {
    uint8_t* frame = ring->frames + ring->next * FRAME;
    uint32_t* owner = &reinterpret_cast<tpacket2_hdr*>(frame)->tp_status;
    const uint32_t status = __atomic_load_n(owner, __ATOMIC_ACQUIRE);
    if ((status & TP_STATUS_USER) == 0) break;
    copyFrame(frame, status, ifindex, batch, received);
    __atomic_store_n(owner, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    ring->next = (ring->next + 1) % ring->count;
  }
  return received;
}
