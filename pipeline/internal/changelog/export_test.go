package changelog

// WaitFold waits until no folding is going on.
func (l *Log) WaitFold() { l.folding.Wait() }
