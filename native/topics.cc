// What packets are about, and which of it we have sent something about: such packets are received first.

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "socket.h"

// A later one takes the place of an earlier one. That costs it its precedence, no more; so does the rare one taken for another.
static const size_t SLOTS = 1 << 17;

struct Topics {
  size_t offset;
  uint64_t seed;  // who sends packets cannot choose them to meet in one slot
  uint16_t tags[SLOTS];  // 0: free
};

Topics* createTopics(size_t offset) {
  Topics* topics = static_cast<Topics*>(calloc(1, sizeof(Topics)));
  if (topics == nullptr) return nullptr;
  topics->offset = offset;
  // Without a seed it works, too.
  if (getrandom(&topics->seed, sizeof topics->seed, GRND_NONBLOCK) < 0) topics->seed = 0;
  return topics;
}

void freeTopics(Topics* topics) { free(topics); }

// Each bit of the result depends on all of `number`: a product's bits on the lower ones, and a shift brings the upper ones down.
static uint64_t mix(uint64_t number) {
  number = (number ^ number >> 32) * 0x9e3779b97f4a7c15;
  number = (number ^ number >> 32) * 0xd6e8feb86659fd93;
  return number ^ number >> 32;
}

static uint64_t hash(const Topics& topics, const uint8_t* packet) {
  uint64_t halves[2];
  memcpy(halves, packet + topics.offset, sizeof halves);
  return mix(mix(halves[0] ^ topics.seed) ^ halves[1]);
}

static uint16_t tagOf(uint64_t hash) { return static_cast<uint16_t>(hash >> 48 | 1); }

void addTopic(Topics* topics, const uint8_t* packet, size_t length) {
  if (length < topics->offset + 16) return;
  const uint64_t key = hash(*topics, packet);
  topics->tags[key % SLOTS] = tagOf(key);
}

bool hasTopic(const Topics& topics, const uint8_t* packet, size_t length) {
  if (length < topics.offset + 16) return false;
  const uint64_t key = hash(topics, packet);
  return topics.tags[key % SLOTS] == tagOf(key);
}
