/* Asks an exported model about one sequence.
 *
 *   gattn export runs/tf/best -o model.c
 *   cc -O2 -I. model.c ask.c -o ask && ./ask ACGTTGCA
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "model.h"
#if GATTN_WEIGHTS_BESIDE
#include <fcntl.h>
#include <sys/mman.h>
#endif

static const char LETTERS[] = "ACGT";

int main(int count, char **words) {
  const char *letters = count > 1 ? words[1] : "";
  int n = (int)strlen(letters);
  if (n < 1 || n > GATTN_WIDTH) return fprintf(stderr, "expected 1 to %d letters, got %d\n", GATTN_WIDTH, n), 2;
#if GATTN_WEIGHTS_BESIDE
  void *weights = mmap(NULL, GATTN_WEIGHTS_BYTES, PROT_READ, MAP_PRIVATE, open("model.weights", O_RDONLY), 0);
  if (weights == MAP_FAILED) return fprintf(stderr, "expected model.weights in this folder\n"), 2;
  gattn_use_weights(weights);
#endif
  static uint8_t bases[GATTN_ROWS * GATTN_WIDTH], motifs[GATTN_ROWS * GATTN_WIDTH];
  static int32_t lengths[GATTN_ROWS];
  static float answers[GATTN_ROWS * GATTN_ANSWERS];
  memset(bases, 4, sizeof bases);
  for (int i = 0; i < n; i++) {
    const char *at = strchr(LETTERS, letters[i]);
    bases[i] = at ? (uint8_t)(at - LETTERS) : 4;
  }
  for (int r = 0; r < GATTN_ROWS; r++) lengths[r] = n;
  void *room = malloc(gattn_motif_bytes(n)), *memory = malloc(gattn_memory_bytes());
  if (!room || !memory) return fprintf(stderr, "too little memory\n"), 2;
  gattn_motifs(bases, n, motifs, room);
  gattn_run(bases, motifs, lengths, answers, memory);
  for (int k = 0; k < GATTN_ANSWERS; k++) printf("%g\n", answers[k]);
  return 0;
}
