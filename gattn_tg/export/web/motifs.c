/* Motif ids of bases, by the rules of gattn_tg.motif: no look at other memory than what is handed over. */
#pragma clang fp contract(off)

typedef unsigned char byte;

static const byte BITS[5] = {1, 2, 4, 8, 0};  /* N has no bit: a motif never contains one */

/* A site of k bases from i on: covered, its centre marked (in half bases), or for `last` its last base. */
static void site(int i, int k, int last, byte *one, byte *marks) {
  if (last) { one[i + k - 1] = 1; return; }
  for (int t = 0; t < k; t++) one[i + t] = 1;
  marks[2 * i + k - 1] = 1;
}

static void pattern(const byte *ids, int n, const byte *masks, int k, int last, byte *one, byte *marks) {
  for (int i = 0; i + k <= n; i++) {
    int t = 0;
    while (t < k && (BITS[ids[i + t]] & masks[t])) t++;
    if (t == k) site(i, k, last, one, marks);
  }
}

static void matrix(const byte *ids, int n, const double *weights, int k, double least, int last, byte *one,
                   byte *marks) {
  for (int i = 0; i + k <= n; i++) {
    double score = 0;
    int t = 0;
    for (; t < k && ids[i + t] < 4; t++) score += weights[4 * t + ids[i + t]];
    if (t == k && score >= least) site(i, k, last, one, marks);
  }
}

/* Windows of w bases with at least `need` A and T and no N. */
static void at_rich(const byte *ids, int n, int w, double need, int last, byte *one) {
  int weak = 0, unknown = 0, painted = 0;
  for (int e = 1; e <= n; e++) {
    weak += ids[e - 1] == 0 || ids[e - 1] == 3;
    unknown += ids[e - 1] == 4;
    if (e > w) { weak -= ids[e - 1 - w] == 0 || ids[e - 1 - w] == 3; unknown -= ids[e - 1 - w] == 4; }
    if (e < w || unknown || weak < need) continue;
    if (last) { one[e - 1] = 1; continue; }
    for (int i = painted > e - w ? painted : e - w; i < e; i++) one[i] = 1;
    painted = e;
  }
}

typedef struct { int length, window, whole, gap; double gc, ratio; } Criteria;
typedef struct { const int *c, *g, *unknown, *pairs; Criteria rule; } Counts;

static int meets(const Counts *s, int a, int b) {
  int c = s->c[b] - s->c[a], g = s->g[b] - s->g[a], inner = b - 1 > a ? b - 1 : a;
  double expected = (double)c * g;
  if (s->unknown[b] != s->unknown[a] || (double)(c + g) / (b - a) < s->rule.gc || expected == 0) return 0;
  return (double)(s->pairs[inner] - s->pairs[a]) * (b - a) / expected >= s->rule.ratio;
}

/* A candidate loses a base at both ends until it meets the criteria; what is too short is no island. */
static void trimmed(const Counts *s, int a, int b, byte *one) {
  if (b - a < s->rule.length) return;
  for (int cut = 0; cut < (b - a) / 2; cut++)
    if (meets(s, a + cut, b - cut)) {
      if (b - a - 2 * cut >= s->rule.length) for (int i = a + cut; i < b - cut; i++) one[i] = 1;
      return;
    }
}

static void cpg_islands(const byte *ids, int n, Criteria rule, int last, byte *one, int *room) {
  int *c = room, *g = c + n + 1, *unknown = g + n + 1, *pairs = unknown + n + 1, w = rule.window;
  c[0] = g[0] = unknown[0] = pairs[0] = 0;
  for (int i = 0; i < n; i++) {
    c[i + 1] = c[i] + (ids[i] == 1);
    g[i + 1] = g[i] + (ids[i] == 2);
    unknown[i + 1] = unknown[i] + (ids[i] == 4);
    pairs[i + 1] = pairs[i] + (i + 1 < n && ids[i] == 1 && ids[i + 1] == 2);
  }
  Counts s = {c, g, unknown, pairs, rule};
  int start = 0, end = -1;  /* the candidate so far; none yet */
  for (int i = 0; i + w <= n; i++) {
    if (!meets(&s, i, i + w)) continue;
    if (last) { one[i + w - 1] = 1; continue; }
    int j = i;
    while (j + 1 + w <= n && meets(&s, j + 1, j + 1 + w)) j++;
    int from = rule.whole ? i : i + w / 2, to = rule.whole ? j + w : j + (w + 1) / 2;
    int known = end < 0 || unknown[from > end ? from : end] == unknown[end];
    if (end >= 0 && from - end <= rule.gap && known) end = to > end ? to : end;
    else {
      if (end >= 0) trimmed(&s, start, end, one);
      start = from;
      end = to;
    }
    i = j;
  }
  if (end >= 0) trimmed(&s, start, end, one);
}

/* For every base the distance to the nearest centre, in half bases. */
static void distances(const byte *marks, int n, int *out) {
  int far = 1 << 29;
  for (int x = 0, at = -far; x < 2 * n; x++) {
    if (marks[x]) at = x;
    if (!(x & 1)) out[x / 2] = x - at;
  }
  for (int x = 2 * n - 1, at = far; x >= 0; x--) {
    if (marks[x]) at = x;
    if (!(x & 1) && at - x < out[x / 2]) out[x / 2] = at - x;
  }
}

static void paint(const byte *one, int n, byte id, byte *ids) {
  for (int i = 0; i < n; i++) if (one[i]) ids[i] = id;
}

/* Two strands of one rule: a base of both goes to the strand with the nearer centre, and to neither where equal. */
static void paint_two(byte **one, byte **marks, int n, byte id, byte other, byte *ids, int *room) {
  int *here = room, *there = room + n;
  distances(marks[0], n, here);
  distances(marks[1], n, there);
  for (int i = 0; i < n; i++) {
    if (one[0][i] && (!one[1][i] || here[i] < there[i])) ids[i] = id;
    else if (one[1][i] && (!one[0][i] || there[i] < here[i])) ids[i] = other;
  }
}
