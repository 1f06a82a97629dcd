package pipeline

// WindowJoin makes a row of each pair of rows of one key that are in one window,
// once for each window that they share. Time is data here: a row that comes late is
// paired like any other. The key of a row that comes out is derived from its two
// rows and the window. A row on which a function of its side panics, or a pair on
// which out does, goes to the error table. Both tables are kept as state, each row
// once for each of its windows; a change costs time in proportion to those and to
// the rows it matches.
func WindowJoin[L, R, K, O any](l Timed[L, K], r Timed[R, K], ws Windows, out func(w Window, l L, r R) O) *Table[O] {
	return windowJoin("windowjoin", l, r, ws, joiner[InWindow[L], InWindow[R], O]{
		pair: func(l InWindow[L], r InWindow[R]) O { return out(l.Window, l.Row, r.Row) },
	})
}

// LeftWindowJoin is WindowJoin, and also makes a row of each left row and each of its
// windows in which it has no match: out gets nil for the right one then.
func LeftWindowJoin[L, R, K, O any](l Timed[L, K], r Timed[R, K], ws Windows, out func(w Window, l L, r *R) O) *Table[O] {
	return windowJoin("leftwindowjoin", l, r, ws, joiner[InWindow[L], InWindow[R], O]{
		pair:  func(l InWindow[L], r InWindow[R]) O { return out(l.Window, l.Row, &r.Row) },
		loneL: func(l InWindow[L]) O { return out(l.Window, l.Row, nil) },
	})
}

// RightWindowJoin is LeftWindowJoin with the sides exchanged.
func RightWindowJoin[L, R, K, O any](l Timed[L, K], r Timed[R, K], ws Windows, out func(w Window, l *L, r R) O) *Table[O] {
	return windowJoin("rightwindowjoin", l, r, ws, joiner[InWindow[L], InWindow[R], O]{
		pair:  func(l InWindow[L], r InWindow[R]) O { return out(l.Window, &l.Row, r.Row) },
		loneR: func(r InWindow[R]) O { return out(r.Window, nil, r.Row) },
	})
}

// OuterWindowJoin is WindowJoin, and also makes a row of each row of either side and
// each of its windows in which it has no match: out gets nil for the other one.
func OuterWindowJoin[L, R, K, O any](l Timed[L, K], r Timed[R, K], ws Windows, out func(w Window, l *L, r *R) O) *Table[O] {
	return windowJoin("outerwindowjoin", l, r, ws, joiner[InWindow[L], InWindow[R], O]{
		pair:  func(l InWindow[L], r InWindow[R]) O { return out(l.Window, &l.Row, &r.Row) },
		loneL: func(l InWindow[L]) O { return out(l.Window, &l.Row, nil) },
		loneR: func(r InWindow[R]) O { return out(r.Window, nil, &r.Row) },
	})
}

func windowJoin[L, R, K, O any](op string, l Timed[L, K], r Timed[R, K], ws Windows, does joiner[InWindow[L], InWindow[R], O]) *Table[O] {
	type inWindow struct {
		Key    K
		Window Window
	}
	return joinOn(op, IntoWindows(l.Table, ws, l.At), IntoWindows(r.Table, ws, r.At),
		func(row InWindow[L]) inWindow { return inWindow{l.Key(row.Row), row.Window} },
		func(row InWindow[R]) inWindow { return inWindow{r.Key(row.Row), row.Window} }, does)
}
