"""Drives a running server with clients that others wrote, and validates its
descriptions of itself. The server watches a copy of examples/docs; it has the
models `echo`, which writes a whole answer, and `breaks`, which breaks off.

services/clients.sh install; python clients.py http://127.0.0.1:8080
"""
import asyncio
import importlib.util
import json
import sys
import urllib.request

url = sys.argv[1]
lease = "What is the notice period of the workshop lease?"


def openai_sdk():
    import openai

    c = openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0)
    ids = [m.id for m in c.models.list()]
    assert ids == ["ragserver", "breaks", "echo"], ids
    assert c.models.retrieve("rag").id == "rag"
    ask = dict(model="rag", messages=[{"role": "user", "content": lease}])

    whole = c.chat.completions.create(**ask)
    choice = whole.choices[0]
    assert choice.finish_reason == "stop" and "nine months" in choice.message.content, whole
    cited = choice.message.annotations[0]
    mark = choice.message.content[cited.url_citation.start_index:cited.url_citation.end_index]
    assert cited.type == "url_citation" and mark == "[1]" and cited.url_citation.url.startswith(url + "/d/"), cited
    assert whole.model_extra["ragserver"]["notices"][0]["code"] == "no_model", whole.model_extra

    chunks = list(c.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
    text = "".join(k.choices[0].delta.content or "" for k in chunks if k.choices)
    assert text == choice.message.content and chunks[-1].usage is not None and chunks[-2].choices[0].finish_reason == "stop", chunks
    assert chunks[0].model_extra["ragserver"]["sources"], chunks[0]

    async def at_once():
        a = openai.AsyncOpenAI(base_url=url + "/v1", api_key="none", max_retries=0)
        async with a:
            return await asyncio.gather(*(a.chat.completions.create(**ask) for _ in range(8)))

    assert {r.choices[0].message.content for r in asyncio.run(at_once())} == {text}

    # By name a language model answers alone; over documents it writes the answer.
    alone = c.chat.completions.create(model="echo", messages=[{"role": "user", "content": "Hello there"}])
    assert alone.choices[0].message.content == "You said: Hello there", alone
    written = c.chat.completions.create(**ask, extra_body={"ragserver": {"model": "echo"}})
    assert written.model_extra["ragserver"]["kind"] == "generated" and written.model_extra["ragserver"]["model"] == "echo", written

    # An answer that breaks off is no answer.
    for more in ({"model": "breaks"}, {"extra_body": {"ragserver": {"model": "breaks"}}}):
        try:
            c.chat.completions.create(**{**ask, **more})
            raise SystemExit("a whole answer of a model that broke off")
        except openai.InternalServerError as e:
            assert e.status_code == 502 and e.code == "cut_off", e
        got = []
        try:
            for k in c.chat.completions.create(**{**ask, **more}, stream=True):
                got.append(k)
            raise SystemExit("a whole stream of a model that broke off")
        except openai.APIError as e:
            assert e.code == "cut_off", e
        assert got and not any(k.choices[0].finish_reason for k in got), got

    for wrong, error, code in (
        (dict(ask, model="gpt-4o"), openai.NotFoundError, "model_not_found"),
        (dict(ask, messages=[{"role": "user", "content": ""}]), openai.BadRequestError, "bad_request"),
        (dict(ask, extra_body={"ragserver": {"filter": "(("}}), openai.BadRequestError, "bad_filter"),
    ):
        try:
            c.chat.completions.create(**wrong)
            raise SystemExit(f"answered: {wrong}")
        except error as e:
            assert e.code == code and e.message, e

    vectors = c.embeddings.create(model="rag", input=["notice period", "Kündigungsfrist", "banana bread"]).data  # asks for base64
    floats = c.embeddings.create(model="rag", input="notice period", encoding_format="float").data[0].embedding
    dot = lambda a, b: sum(x * y for x, y in zip(a, b))
    assert max(abs(a - b) for a, b in zip(vectors[0].embedding, floats)) < 1e-6 and abs(dot(floats, floats) - 1) < 1e-3
    hello, tokens = c.embeddings.create(model="rag", input="hello world"), c.embeddings.create(model="rag", input=[[15339, 1917]])  # as LangChain by default
    assert hello.data[0].embedding == tokens.data[0].embedding and tokens.usage.prompt_tokens == 2
    assert len(c.embeddings.create(model="rag", input="hello", dimensions=64).data[0].embedding) == 64
    assert dot(floats, vectors[1].embedding) > dot(floats, vectors[2].embedding)


def langchain_openai():
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    chat = ChatOpenAI(base_url=url + "/v1", api_key="none", model="rag", max_retries=0)
    assert "nine months" in chat.invoke(lease).content
    assert "nine months" in "".join(k.content for k in chat.stream(lease))
    e = OpenAIEmbeddings(base_url=url + "/v1", api_key="none", model="rag", check_embedding_ctx_length=False)
    assert len(e.embed_documents(["a", "b"])) == 2 and len(e.embed_query("a")) > 100


def langchain_pathway():
    from langchain_community.vectorstores import PathwayVectorClient

    c = PathwayVectorClient(url=url)
    found = c.similarity_search(lease)
    assert len(found) == 4 and found[0].metadata["path"] == "contracts/workshop-lease.pdf", found
    scored = c.similarity_search_with_score(lease, k=3)
    assert [d for _, d in scored] == sorted(d for _, d in scored), scored
    only = c.similarity_search("travel", k=5, metadata_filter="globmatch(`**/*.md`, path)")
    assert only and all(d.metadata["path"].endswith(".md") for d in only), only
    files = c.get_input_files()
    assert c.get_vectorstore_statistics()["file_count"] == len(files) >= 10, files
    assert {"created_at", "modified_at", "owner", "path", "size", "seen_at"} <= set(files[0]), files[0]
    assert "Übernachtung" in c.as_retriever(search_kwargs={"k": 2}).invoke("Übernachtung im Hotel")[0].page_content


def llama_index():
    from llama_index.readers.pathway import PathwayReader
    from llama_index.retrievers.pathway import PathwayRetriever

    nodes = PathwayRetriever(url=url, similarity_top_k=3).retrieve(lease)
    assert len(nodes) == 3 and "nine months" in nodes[0].text and nodes[0].score >= nodes[1].score, nodes
    read = PathwayReader(url=url).load_data(query_text=lease, k=2)
    assert len(read) == 2 and read[0].metadata["path"] == "contracts/workshop-lease.pdf", read


def pathway_own():
    """Pathway's clients come with Pathway itself, which is large: where it is not installed they are left out."""
    from pathway.xpacks.llm.document_store import DocumentStoreClient
    from pathway.xpacks.llm.question_answering import RAGClient

    d = DocumentStoreClient(url=url)
    found = d.query(lease, k=3)
    assert len(found) == 3 and found[0]["metadata"]["path"] == "contracts/workshop-lease.pdf", found
    assert d.get_input_files(return_status=True)[0]["_indexing_status"] == "INDEXED"
    assert all(f["path"].endswith(".md") for f in d.get_input_files(filepath_globpattern="**/*.md"))
    c = RAGClient(url=url)
    answer = c.answer(lease, return_context_docs=True)
    assert "nine months" in answer["response"] and answer["context_docs"][0]["metadata"]["path"], answer
    assert c.statistics()["file_count"] == len(c.list_documents(keys=["path"]))
    assert "lease begins" in c.summarize(["The lease begins in July.", "It runs for ten years."], model="echo")
    try:
        c.answer(lease, model="breaks")
        raise SystemExit("a whole answer of a model that broke off")
    except Exception as e:  # of the HTTP library that Pathway uses
        assert e.response.status_code == 502 and "ask again" in e.response.text, e


def descriptions():
    from openapi_spec_validator import validate

    for path in ("/openapi.json", "/_schema?format=json"):
        with urllib.request.urlopen(url + path) as r:
            validate(json.load(r))


optional = {pathway_own: "pathway", openai_sdk: "", langchain_openai: "", langchain_pathway: "", llama_index: "", descriptions: ""}
for part, package in optional.items():
    if package and importlib.util.find_spec(package) is None:
        print("skipped:", part.__name__, "since", package, "is not installed")
        continue
    part()
    print("content:", part.__name__)
