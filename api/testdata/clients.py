"""Drives the API with clients that others wrote; recorded by clients_test.go.

pip install langchain-community==0.4.2 llama-index-retrievers-pathway llama-index-readers-pathway
python clients.py http://127.0.0.1:PORT
"""
import sys

from langchain_community.vectorstores import PathwayVectorClient
from llama_index.readers.pathway import PathwayReader
from llama_index.retrievers.pathway import PathwayRetriever

url = sys.argv[1]

lc = PathwayVectorClient(url=url)
docs = lc.similarity_search("Are gift cards refunded?")
assert docs[0].page_content == "Gift cards are never refunded." and docs[0].metadata["path"] == "policies/refunds.md", docs
scored = lc.similarity_search_with_score("Are gift cards refunded?", k=2, metadata_filter="contains(path, `refunds`)")
assert len(scored) == 2 and scored[0][1] <= scored[1][1], scored
relevant = lc.similarity_search_with_relevance_scores("gift cards", k=2)
assert relevant[0][1] >= relevant[1][1], relevant
assert lc.similarity_search("x", metadata_filter="path == 'its' || path == `it's.md`") == []
assert lc.get_vectorstore_statistics()["file_count"] == 2
files = lc.get_input_files()
assert {f["path"] for f in files} == {"policies/refunds.md", "überblick/größen.md"}, files
assert len(lc.get_input_files(filepath_globpattern="**/*.md", metadata_filter="team == `shop`")) == 1
hits = lc.as_retriever(search_kwargs={"k": 1}).invoke("Größe für Kinder")
assert "Kinder" in hits[0].page_content, hits

nodes = PathwayRetriever(url=url).retrieve("Are gift cards refunded?")
assert len(nodes) == 2 and nodes[0].score >= nodes[1].score and "Gift cards" in nodes[0].text, nodes
read = PathwayReader(url=url).load_data(query_text="gift cards", k=3, metadata_filter="team == `legal`")
assert len(read) == 2 and read[0].metadata["path"] == "policies/refunds.md", read
print("all clients are content")
