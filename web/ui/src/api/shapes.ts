// The JSON of the native API, as api/types.go declares it. A test in Go holds
// the two together.

export interface Message {
  role: 'user' | 'assistant';
  content: string;
}

export interface AskRequest {
  question: string;
  history?: Message[];
  k?: number;
  documents?: string[];
  model?: string;
  collection?: string;
  stream?: boolean;
}

export interface Source {
  n: number;
  cited: boolean;
  document: string;
  chunk: string;
  version: string;
  source: string;
  path: string;
  title: string;
  heading?: string;
  page?: number;
  start: number;
  end: number;
  text: string;
  score: number;
  cosine?: number;
  bm25?: number;
  modified?: string;
  url: string;
  unembedded?: boolean;
}

export interface AskSources {
  epoch: number;
  query: string;
  sources: Source[];
  took_ms: number;
}

export interface AskText {
  text: string;
}

export interface AskAnswer {
  answer: string;
  kind: 'generated' | 'extractive' | 'nothing_found';
  model?: string;
  notices?: Notice[];
  sources: Source[];
  epoch: number;
  usage?: Usage;
  retrieval_ms: number;
  total_ms: number;
}

export interface Notice {
  code: 'no_model' | 'model_failed' | 'cut_off' | 'uncited' | 'own_knowledge' | 'degraded' | 'pending';
  message: string;
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
}

export interface SearchResponse {
  epoch: number;
  hits: Source[];
  took_ms: number;
  degraded?: string;
}

export type State = 'found' | 'parsing' | 'embedding' | 'live' | 'stale' | 'failed' | 'skipped';

export interface Document {
  id: string;
  source: string;
  path: string;
  state: State;
  reason?: string;
  version?: string;
  live: boolean;
  title?: string;
  type?: string;
  size: number;
  chunks: number;
  embedded: number;
  modified?: string;
  updated: string;
  live_at?: string;
  epoch?: number;
  own: boolean;
}

export interface DocumentList {
  documents: Document[];
  cursor?: string;
  total: number;
  states: Partial<Record<State, number>>;
}

export interface DocumentText {
  id: string;
  version: string;
  current: boolean;
  path: string;
  title: string;
  start: number;
  end: number;
  length: number;
  text: string;
  format: 'markdown';
}

export interface Written {
  id?: string;
  path: string;
  state: string;
  reason?: string;
  epoch?: number;
}

export interface SourceInfo {
  name: string;
  kind: 'folder' | 'kafka' | 'uploads';
  location: string;
  trouble?: string;
  documents: number;
  scanned: boolean;
  lag?: number;
  writable: boolean;
}

export interface FeedEvent {
  seq: number;
  time: string;
  removed?: boolean;
  document: Document;
}

export interface Stats {
  version: string;
  collection: string;
  epoch: number;
  documents: number;
  chunks: number;
  embedded: number;
  pending: number;
  states: Partial<Record<State, number>>;
  disk_bytes: number;
  heap_bytes: number;
  embedder: string;
  model?: string;
  models: string[];
  collections: string[];
  uptime_s: number;
  troubles: Trouble[];
}

export interface Trouble {
  part: string; // storage, reading, embedder, or source and its name
  reason: string;
}

export interface ErrorBody {
  code: string;
  message: string;
}
