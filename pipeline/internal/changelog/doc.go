// Package changelog keeps the engine's state on disk: tables of small records,
// each under a shard and a key, changed by whole records (an upsert or a
// tombstone, never a difference) and committed all together.
//
// # Model
//
// A [Log] belongs to one directory and one process. Workers put changes into
// their own [Writer]; nothing is written until [Log.Commit], which makes
// everything that all writers hold durable as one atomic unit, together with
// the epoch and a few bytes of the caller's own (meta: source positions, sink
// positions). After a restart [Log.Recovered] gives the epoch and meta of the
// last commit and [Log.Load] the records as they were then. Nothing of the
// state is kept in memory: the engine has it already.
//
// # Guarantees
//
// When Commit has returned nil, the commit survives a crash of the process, of
// the system and of the power supply, as far as fsync can be believed. When the
// machine stops before that, or Commit returns an error, the next Open finds
// the state of some commit, whole: the one before or, if only the last
// acknowledgement was lost, this one. An error leaves everything buffered as it
// was, so that Commit can be called again when there is room on the disk.
//
// Data damaged after it was committed is never passed over: Open or Load return
// a [DamageError] that names the file and the offset. Only the end of MANIFEST
// may be incomplete, for that is what a crash leaves behind.
//
// # Files
//
// All numbers are little-endian, "uvarint" is that of encoding/binary. Every
// file begins with 16 bytes: 8 of magic, a uint32 format version (now 1), 4
// zeros. Then come frames: uint32 length of the body, uint32 CRC-32C
// (Castagnoli) of the length and the body, the body.
//
//	LOCK        held by the running process; its text is that process's id
//	MANIFEST    magic "ragsmani"; one record a commit. Body: byte kind,
//	            uint64 sequence number (growing by one), uint64 epoch, and
//	            for kind 1 (everything): uvarint next file number, uvarint
//	            number of files, per file uvarint number, byte kind (1 log,
//	            2 run), uvarint length; uvarint number of tables, per table
//	            uvarint length and name; the rest is meta.
//	            for kind 2 (only the last log has grown): uvarint length of
//	            the last log; the rest is meta.
//	000007.log  magic "ragslog\x00"; frames in the order of commits. Body: byte
//	            kind (1 changes, 2 drop of the table), uint64 epoch, byte
//	            lowest and byte highest shard, uvarint length and name of the
//	            table, uint32 CRC-32C of the body so far (a reader may skip
//	            the rest), then changes: byte shard, uvarint (key length × 2 +
//	            1 for a tombstone), key, and unless it is a tombstone uvarint
//	            value length, value.
//	000008.run  magic "ragsrun\x00"; the same frames, sorted by table, shard,
//	            key, with one change a key.
//
// A commit appends its frames to the last log, syncs it, appends a record to
// MANIFEST and syncs that: the record is the commit. What lies in a log beyond
// the length that MANIFEST gives never happened and is cut off. Later files win
// over earlier ones. When a log has grown as large as everything before it (or
// to Options.Segment), a goroutine folds it into a sorted run, and
// neighbouring runs into each other whenever the older one is less than twice
// as large, so that the disk holds little more than twice the live data, in
// few files. Runs are written beside (".tmp"), synced, renamed and entered into
// MANIFEST; commits go on meanwhile. MANIFEST itself is rewritten when long.
package changelog
