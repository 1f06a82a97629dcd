// Package pipeline is an engine of tables that stay right while their input
// changes. A program says once how tables are made from tables; the engine runs
// it over whatever comes, a batch or a stream, and tells sinks what has changed.
//
//	g := pipeline.New(pipeline.State("state"))
//	readings := csvio.Read[Reading](g, "input")
//	valid := pipeline.Filter(readings, func(r Reading) bool { return r.Value >= 0 })
//	total := pipeline.Fold(valid, func(t *Total, r Reading, n int) { t.Sum += n * r.Value })
//	jsonio.Write(total, "output.jsonl")
//	return g.Run(ctx)
//
// # Tables, keys, changes
//
// A [Table] is a set of rows of one Go type, each under a [Key] of 128 bits that
// stands beside it. Rows may be of any type made of numbers, strings, times,
// structs, slices, maps and pointers; they need not be comparable. A [Change]
// is a row that appears (N = +1) or goes (N = −1); an update is both, under one
// key, in one epoch. Keys are given by sources and derived by operators, always
// in the same way, so they survive restarts; each operator says how.
//
// Operators are free functions: [Filter], [Map], [FlatMap], [Concat],
// [ConcatFresh], [Rekey], [IntoWindows], [Fold], [FoldBy], [GroupBy], [Join], [LeftJoin],
// [RightJoin], [OuterJoin], [SemiJoin], [AntiJoin], [Lookup], [LookupOr],
// [Intersect], [Difference], [UpdateRows], [UpdateCells],
// [IntervalJoin], [WindowJoin], [AsOfJoin], [AsOfNowJoin], [IntervalsOver], [Sessions],
// [WindowBy], [Timely], [Sort], [Diff], [Interpolate], [Dedup], [Async], [AsyncJoin]. Functions handed to them must depend on their row alone,
// because they are called again when it is retracted; what does not, such as a
// call to a model, is a matter for [Async], which remembers. What GroupBy computes
// is made of [Count], [Sum], [Avg], [Min], [Max], [ArgMin], [ArgMax], [Any], [Unique],
// [List], [ListBy], [SortedList], [CountDistinct], [CountDistinctApprox], and, of
// one's own, [Accumulate] and [Reduce]; [When] lets any of them see only some rows. A row function that
// fails or panics stops nothing: the row goes to the error table
// ([Graph.Errors]) and comes out of it when the row is retracted.
//
// # Epochs
//
// Input enters in epochs, about every 20 ms or 64k rows. What a source brings
// between two commits of its own enters one epoch whole. After each epoch every
// table is exactly what its operators make of all input up to it: nothing of a
// later epoch is seen, and nothing half done. Sinks get the net changes of an
// epoch: equal changes have cancelled out, retractions come before insertions.
// Results of asynchronous stages are input of a later epoch, so that what is
// slow delays only itself. In static mode ([Static]) sinks get one final set of
// changes, when all input has been worked off.
//
// Time in rows is data: what comes late counts like all else, and is corrected. A
// [Behavior] says otherwise: that results wait ([Delay]), that what is late is
// ignored and its state freed ([Cutoff]), or that a window is told once
// ([ExactlyOnce]).
//
// # Workers and state
//
// Every worker, a goroutine, runs the whole plan on its share of the key space;
// rows move between workers where their key changes, with one barrier. State is
// held in hash tables and arenas of bytes without pointers, so that the garbage
// collector does not see it. Buffers are bounded, in rows and in bytes: sources
// wait in Commit while the engine is behind, and epochs wait for slow sinks.
//
// # What a crash can and cannot lose
//
// With [State], each commit makes durable, as one atomic unit: the state of all
// operators, the positions of all sources, requests and results of asynchronous
// stages, and output that sinks have not taken. When nothing else waits every
// epoch is committed at once; under load several share a commit, for 100 ms at
// most. A process that is killed at any moment goes on from its last commit, as
// if what came after had never happened: sources are read again from there. So
// no input is lost or counted twice, and an asynchronous call is repeated only
// if its answer was not committed yet. A [StagedSink] gets each change exactly
// once. A [Sink] may be given its last epochs a second time and must be
// idempotent by epoch and key. Another number of workers may be used after a
// restart. Without State a restart begins from nothing.
//
// State is found by the names of tables: the one given by [Table.Named] or the
// path of the table before it, then the operator and the type of its rows. When
// saved state does not fit the plan, Run says which, and what to do. It cannot
// see that a function has changed: who changes what a row function computes
// gives the tables behind it new names.
//
// # Seen from outside
//
// [Graph.Explain] and [Graph.Mermaid] show the plan, [Graph.Stats] what it does;
// package metrics makes Prometheus metrics of that.
//
// # Sources and sinks
//
// Anything can be a source or a sink: see [Source], with an example of some
// twenty lines, and [Sink]. The folders beside this one hold those for files,
// CSV, JSON lines and Kafka; package pipelinetest tests new ones.
package pipeline
