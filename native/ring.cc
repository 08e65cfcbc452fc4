// The receive ring of a packet socket: the kernel copies each packet into the next frame (TPACKET_V2, packet(7)), where it is
// read without a system call. Packets about what we have sent something about overtake the others that wait.

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "socket.h"

// Frames that hold what is worth reading of a packet, and as many as come while the event loop is busy elsewhere.
static const unsigned FRAME = 512, FRAMES_IN_BLOCK = 128;

// The status of a frame that was received before its turn. The kernel knows none of this kind; to it the frame is not free yet.
static const uint32_t EARLY = 1 << 24;

const char* mapRing(int fd, unsigned frames, unsigned topic, Ring* ring) {
  const unsigned blocks = frames / FRAMES_IN_BLOCK;
  tpacket_req request = {FRAME * FRAMES_IN_BLOCK, blocks, FRAME, blocks * FRAMES_IN_BLOCK};
  const int version = TPACKET_V2;
  if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0) return "setsockopt";
  if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0) return "setsockopt";
  void* start = mmap(nullptr, size_t{FRAME} * request.tp_frame_nr, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (start == MAP_FAILED) return "mmap";
  *ring = {static_cast<uint8_t*>(start), FRAME, request.tp_frame_nr, 0, 0, 0, topic == 0 ? nullptr : createTopics(topic)};
  return topic != 0 && ring->topics == nullptr ? "calloc" : nullptr;
}

void unmapRing(const Ring& ring) {
  if (ring.frames != nullptr) munmap(ring.frames, ring.count * ring.size);
  freeTopics(ring.topics);
}

int32_t packetType(const sockaddr_ll* name, int ifindex) {
  // The kernel shows a link also what a device on top of it (VLAN, macvlan) has taken, as that device's.
  return name->sll_ifindex == ifindex ? name->sll_pkttype : PACKET_OTHERHOST;
}

// The `place`th frame after the next one to be emptied.
static tpacket2_hdr* frameAt(const Ring& ring, size_t place) {
  return reinterpret_cast<tpacket2_hdr*>(ring.frames + (ring.next + place) % ring.count * ring.size);
}

static const uint8_t* packetOf(const tpacket2_hdr* frame) { return reinterpret_cast<const uint8_t*>(frame) + frame->tp_mac; }

static uint32_t statusOf(const tpacket2_hdr* frame) { return __atomic_load_n(&frame->tp_status, __ATOMIC_ACQUIRE); }

static void release(tpacket2_hdr* frame, uint32_t status) { __atomic_store_n(&frame->tp_status, status, __ATOMIC_RELEASE); }

static void advance(Ring* ring) {
  release(frameAt(*ring, 0), TP_STATUS_KERNEL);
  ring->next = (ring->next + 1) % ring->count;
  if (ring->seen > 0) ring->seen--;
}

// JavaScript gets copies only: a mapping that it held could not be taken away when the socket closes.
static void copyFrame(const tpacket2_hdr* frame, int ifindex, const Batch& batch, size_t i) {
  const sockaddr_ll* name = reinterpret_cast<const sockaddr_ll*>(
      reinterpret_cast<const uint8_t*>(frame) + TPACKET_ALIGN(sizeof *frame));
  int32_t* row = batch.row + 4 * i;
  memcpy(batch.slab + i * batch.slot, packetOf(frame), frame->tp_snaplen < batch.slot ? frame->tp_snaplen : batch.slot);
  row[0] = static_cast<int32_t>(frame->tp_len);
  row[1] = packetType(name, ifindex);
  row[2] = static_cast<int32_t>(statusOf(frame));
  row[3] = frame->tp_vlan_tci;
}

// Takes what has precedence out of all that waits, but leaves a quarter of the batch to the others, whom it could starve.
static uint32_t overtake(Ring* ring, int ifindex, const Batch& batch) {
  uint32_t received = 0;
  for (; ring->seen < ring->count && received < batch.count - (batch.count + 3) / 4; ring->seen++) {
    tpacket2_hdr* frame = frameAt(*ring, ring->seen);
    if ((statusOf(frame) & TP_STATUS_USER) == 0) break;
    if (!hasTopic(*ring->topics, packetOf(frame), frame->tp_snaplen)) continue;
    copyFrame(frame, ifindex, batch, received++);
    release(frame, EARLY);
  }
  return received;
}

// Drops the oldest of the others, so that the kernel has room for what comes next.
static void shed(Ring* ring) {
  for (; ring->seen > ring->count - ring->count / 4; advance(ring)) {
    if (statusOf(frameAt(*ring, 0)) != EARLY) ring->shed++;
  }
}

uint32_t readRing(Ring* ring, int ifindex, const Batch& batch) {
  uint32_t received = 0;
  if (ring->topics != nullptr) {
    received = overtake(ring, ifindex, batch);
    shed(ring);
  }
  for (; received < batch.count; advance(ring)) {
    const tpacket2_hdr* frame = frameAt(*ring, 0);
    const uint32_t status = statusOf(frame);
    if ((status & TP_STATUS_USER) != 0) copyFrame(frame, ifindex, batch, received++);
    else if (status != EARLY) break;
  }
  return received;
}
