package api

import "time"

// The types of the native API, as JSON. The OpenAPI description is generated
// from them. Offsets count Unicode code points; times are RFC 3339 in UTC.

// MaxAskK is the most passages that an answer may be made from.
const MaxAskK = 50

// AskRequest asks a question: POST /api/ask. With stream (or an Accept header of
// text/event-stream) the reply is a stream of the events sources, text, done
// and error, whose data are AskSources, AskText, AskAnswer and Error.
type AskRequest struct {
	Question   string    `json:"question" minLength:"1" maxLength:"32768" doc:"What to ask." example:"How many days of leave do I have?"`
	History    []Message `json:"history,omitempty" maxItems:"200" doc:"Earlier turns, oldest first."`
	K          *int      `json:"k,omitempty" minimum:"1" maximum:"50" doc:"Passages to answer from; the default is 6." example:"6"`
	Filter     string    `json:"filter,omitempty" doc:"Which documents, by their metadata." example:"owner == 'legal' && modified_at >= 1735689600"`
	Glob       string    `json:"glob,omitempty" doc:"Which documents, by their path." example:"**/*.pdf"`
	Documents  []string  `json:"documents,omitempty" doc:"Only these documents, by id."`
	Model      string    `json:"model,omitempty" doc:"A configured model; the collection's model if empty."`
	Collection string    `json:"collection,omitempty"`
	MinEpoch   uint64    `json:"min_epoch,omitempty" doc:"Wait until this epoch is searchable."`
	Stream     bool      `json:"stream,omitempty"`
}

// Message is an earlier turn.
type Message struct {
	Role    string `json:"role" enum:"user,assistant"`
	Content string `json:"content"`
}

// Source is a cited or citable passage.
type Source struct {
	N          int            `json:"n" doc:"The number that [n] refers to."`
	Cited      bool           `json:"cited"`
	Document   string         `json:"document" doc:"Document id."`
	Chunk      string         `json:"chunk"`
	Version    string         `json:"version"`
	Source     string         `json:"source"`
	Path       string         `json:"path"`
	Title      string         `json:"title"`
	Heading    string         `json:"heading,omitempty"`
	Page       int            `json:"page,omitempty"`
	Start      int            `json:"start" doc:"Code points into the document's text."`
	End        int            `json:"end"`
	Text       string         `json:"text"`
	Score      float64        `json:"score"`
	Cosine     *float64       `json:"cosine,omitempty"`
	BM25       float64        `json:"bm25,omitempty"`
	Modified   *time.Time     `json:"modified,omitempty"`
	URL        string         `json:"url" doc:"Deep link into the page of this server."`
	Metadata   map[string]any `json:"metadata,omitempty"`
	Unembedded bool           `json:"unembedded,omitempty" doc:"Found by keyword while its vector is still being made."`
	Why        *Why           `json:"why,omitempty" doc:"With explain."`
}

// Why explains a hit of a search.
type Why struct {
	Terms       map[string]float64 `json:"terms" doc:"BM25 by term."`
	KeywordRank int                `json:"keyword_rank,omitempty" doc:"Absent if not among the candidates."`
	VectorRank  int                `json:"vector_rank,omitempty" doc:"Absent if not among the candidates."`
	KeywordZ    float64            `json:"keyword_z"`
	VectorZ     float64            `json:"vector_z"`
}

// AskSources is sent before the first word.
type AskSources struct {
	Epoch   uint64   `json:"epoch"`
	Query   string   `json:"query"`
	Sources []Source `json:"sources"`
	TookMS  float64  `json:"took_ms"`
}

// AskText is a piece of the answer.
type AskText struct {
	Text string `json:"text"`
}

// AskAnswer is a whole answer.
type AskAnswer struct {
	Answer      string   `json:"answer" doc:"With citations [n]."`
	Kind        string   `json:"kind" enum:"generated,extractive,nothing_found"`
	Model       string   `json:"model,omitempty"`
	Notices     []Notice `json:"notices,omitempty" doc:"How the answer is less than asked for; absent if it is not."`
	Best        string   `json:"best,omitempty" doc:"The sentence of the passages that answers best, whoever wrote the answer."`
	Short       string   `json:"short,omitempty" doc:"The few words of best that answer."`
	Sources     []Source `json:"sources"`
	Epoch       uint64   `json:"epoch"`
	Usage       *Usage   `json:"usage,omitempty"`
	RetrievalMS float64  `json:"retrieval_ms"`
	TotalMS     float64  `json:"total_ms"`
}

// Notice says one way in which an answer is less than asked for.
type Notice struct {
	Code    string `json:"code" enum:"no_model,model_failed,cut_off,uncited,own_knowledge,degraded,pending" doc:"no_model: none is configured, the passages are quoted. model_failed: it wrote nothing, the passages are quoted or the answer is that nothing was found. cut_off: the model broke off, the answer is what it wrote until then. uncited: it cited none of the passages. own_knowledge: it answered without passages. degraded: the search was less than asked for. pending: documents on their way into the index are not in the answer; ask again later."`
	Message string `json:"message"`
}

// Usage counts the model's tokens.
type Usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
}

// SearchRequest searches: POST /api/search, or GET with the same names.
type SearchRequest struct {
	Query      string   `json:"query" minLength:"1" maxLength:"32768" example:"notice period"`
	K          *int     `json:"k,omitempty" minimum:"1" maximum:"1000" doc:"Hits wanted; the default is 10." example:"10"`
	Mode       string   `json:"mode,omitempty" enum:"hybrid,keyword,vector" example:"hybrid"`
	Filter     string   `json:"filter,omitempty" doc:"Which documents, by their metadata." example:"owner == 'legal' && modified_at >= 1735689600"`
	Glob       string   `json:"glob,omitempty" doc:"Which documents, by their path." example:"**/*.pdf"`
	Documents  []string `json:"documents,omitempty"`
	Collection string   `json:"collection,omitempty"`
	MinEpoch   uint64   `json:"min_epoch,omitempty"`
	Explain    bool     `json:"explain,omitempty"`
}

// SearchResponse is what a search found, best first.
type SearchResponse struct {
	Epoch    uint64   `json:"epoch"`
	Hits     []Source `json:"hits"`
	TookMS   float64  `json:"took_ms"`
	Degraded string   `json:"degraded,omitempty"`
}

// Document is a row of the status table: GET /api/documents, /api/documents/{id}.
type Document struct {
	ID       string         `json:"id"`
	Source   string         `json:"source"`
	Path     string         `json:"path"`
	State    string         `json:"state" enum:"found,parsing,embedding,live,stale,failed,skipped"`
	Reason   string         `json:"reason,omitempty"`
	Version  string         `json:"version,omitempty"`
	Live     bool           `json:"live" doc:"Some version of it is searchable."`
	Title    string         `json:"title,omitempty"`
	Type     string         `json:"type,omitempty"`
	Size     int64          `json:"size"`
	Chunks   int            `json:"chunks"`
	Embedded int            `json:"embedded" doc:"Chunks of this version that had to be embedded; the others were known."`
	Modified *time.Time     `json:"modified,omitempty"`
	Updated  time.Time      `json:"updated"`
	LiveAt   *time.Time     `json:"live_at,omitempty"`
	Epoch    uint64         `json:"epoch,omitempty"`
	Metadata map[string]any `json:"metadata,omitempty" doc:"Only for a single document."`
	Own      bool           `json:"own" doc:"It was put by the API and can be deleted by it."`
}

// DocumentList is a page of documents: GET /api/documents?q=&state=&source=&limit=&cursor=.
type DocumentList struct {
	Documents []Document     `json:"documents"`
	Cursor    string         `json:"cursor,omitempty" doc:"Pass it to get the next page; empty at the end."`
	Total     int            `json:"total"`
	States    map[string]int `json:"states" doc:"Documents by state, before the filters."`
}

// DocumentText is a part of a document's text:
// GET /api/documents/{id}/text?version=&start=&end=&around=.
type DocumentText struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Current bool   `json:"current" doc:"The version is the live one."`
	Path    string `json:"path"`
	Title   string `json:"title"`
	Start   int    `json:"start" doc:"Code points."`
	End     int    `json:"end"`
	Length  int    `json:"length"`
	Text    string `json:"text"`
	Format  string `json:"format" enum:"markdown"`
}

// Written answers PUT and DELETE /api/sources/{name}/documents/{key...} and
// DELETE /api/documents/{id}.
type Written struct {
	ID     string `json:"id,omitempty"`
	Path   string `json:"path"`
	State  string `json:"state" doc:"As of a document; deleted; or refused, for a file of a form whose name cannot be a key."`
	Reason string `json:"reason,omitempty"`
	Epoch  uint64 `json:"epoch,omitempty" doc:"Searchable, or gone, at this epoch; absent if the wait ended before."`
}

// Uploaded answers POST /api/sources/{name}/documents, a form of files: one row
// for each, in their order.
type Uploaded struct {
	Documents []Written `json:"documents"`
}

// SourceInfo is a source of documents: GET /api/sources.
type SourceInfo struct {
	Name      string `json:"name"`
	Kind      string `json:"kind" enum:"folder,kafka,uploads,former"`
	Location  string `json:"location"`
	Trouble   string `json:"trouble,omitempty"`
	Documents int    `json:"documents" doc:"Those that can be found."`
	Scanned   bool   `json:"scanned"`
	Lag       int64  `json:"lag,omitempty"`
	Writable  bool   `json:"writable" doc:"Takes PUT and DELETE."`
}

// FeedEvent is an event of GET /api/events (SSE, event name "document";
// Last-Event-ID resumes while the server still has what came after it; else an
// event "reset" tells the client to load the list again).
type FeedEvent struct {
	Seq      uint64    `json:"seq" doc:"Grows by one with each event of the collection since the server was started."`
	Time     time.Time `json:"time"`
	Removed  bool      `json:"removed,omitempty"`
	Document Document  `json:"document"`
}

// Stats answers GET /api/stats.
type Stats struct {
	Version     string         `json:"version"`
	Collection  string         `json:"collection"`
	Epoch       uint64         `json:"epoch"`
	Documents   int            `json:"documents" doc:"Those that can be found. What failed or was skipped is in states alone, what is new and on its way in states and pending."`
	Chunks      int            `json:"chunks"`
	Embedded    int            `json:"embedded" doc:"Chunks that have a vector."`
	Pending     int            `json:"pending" doc:"Documents found, parsing or embedding."`
	States      map[string]int `json:"states" doc:"All documents by state; one that is being read again, whose last version can still be found, by that state."`
	DiskBytes   int64          `json:"disk_bytes"`
	HeapBytes   int64          `json:"heap_bytes"`
	Embedder    string         `json:"embedder"`
	Model       string         `json:"model,omitempty" doc:"Empty: answers are extractive."`
	Models      []string       `json:"models"`
	Collections []string       `json:"collections" doc:"All of the server's, the default one first."`
	Troubles    []Trouble      `json:"troubles" doc:"What cannot go on for the moment: each is tried again until it is over, and what is here can be searched meanwhile."`
	Plan        string         `json:"plan,omitempty" doc:"The pipeline's plan, with ?plan=true."`
	UptimeS     float64        `json:"uptime_s"`
}

// Trouble is why a part of a collection cannot go on for the moment.
type Trouble struct {
	Part   string `json:"part" doc:"storage, reading, embedder, or source and its name."`
	Reason string `json:"reason"`
}

// Ready answers GET /ready.
type Ready struct {
	Ready    bool     `json:"ready"`
	Pending  int      `json:"pending"`
	Troubles []string `json:"troubles" doc:"Which parts cannot go on for the moment: storage, reading, embedder, source. What is here is served all the same; GET /api/stats tells the reasons."`
}

// Error is the body of every failure of the native API, and the data of the
// event "error" of a stream.
type Error struct {
	Error ErrorBody `json:"error"`
}

// ErrorBody says what went wrong and what to do.
type ErrorBody struct {
	Code    string `json:"code" doc:"Stable, e.g. bad_filter."`
	Message string `json:"message"`
}
