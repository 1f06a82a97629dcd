package main

import (
	"github.com/ragserver/ragserver/api"
	"github.com/ragserver/ragserver/indexer"
)

// forAPI presents a collection in the parts that the API asks for.
func (col *collection) forAPI() api.Collection {
	x := col.indexer
	return api.Collection{
		Name: col.name, Search: x, Ask: col.answers,
		View:     func() api.View { return x.View() },
		Content:  x.Content,
		Statuses: x, Feed: x, Sources: x.Sources, Writer: x,
		Summarize: col.answers, Space: col.space, Model: col.model, Explain: x.Explain, Troubles: x.Troubles,
	}
}

// counts of a collection, for the line that is printed.
type standingCounts struct{ live, unread, chunks int }

func (col *collection) stats() standingCounts {
	states, _ := col.indexer.Counts()
	st := col.indexer.View().Stats()
	return standingCounts{live: st.Documents, unread: states[indexer.Failed] + states[indexer.Skipped], chunks: st.Chunks}
}
