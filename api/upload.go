package api

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/ragserver/ragserver/api/internal/body"
	"github.com/ragserver/ragserver/api/internal/fault"
	"github.com/ragserver/ragserver/api/internal/reply"
	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/indexer/index"
)

// upload takes the files of a form, each under its name. Fields before the
// files apply to them: folder (put in front of their names) and metadata.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) error {
	c, source, err := s.targetSource(r)
	if err != nil {
		return err
	}
	wait, err := waitOf(r)
	if err != nil {
		return err
	}
	r.Body = body.Stream(w, r, s.o.Limits.Upload)
	form, err := r.MultipartReader()
	if err != nil {
		return fault.New(http.StatusUnsupportedMediaType, "not_a_form",
			"send files as multipart/form-data, or one document with PUT /api/sources/%s/documents/KEY", source)
	}
	u := uploading{c: c, source: source, most: s.o.Limits.Upload}
	if err := u.read(r.Context(), form); err != nil {
		return err
	}
	out, status := Uploaded{Documents: u.out}, http.StatusOK
	limited, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	for i, st := range u.put {
		if st.ID == (index.ID{}) {
			continue
		}
		left := time.Duration(0)
		if at, ok := limited.Deadline(); ok && wait > 0 {
			left = max(time.Until(at), time.Nanosecond)
		}
		if out.Documents[i], _, err = settle(r.Context(), c, st, left); err != nil {
			return err
		}
		if !settled(out.Documents[i].State) {
			status = http.StatusAccepted
		}
	}
	return reply.JSON(w, r, status, out)
}

// uploading is a form being read. put and out are parallel; put is zero for a
// file that was refused.
type uploading struct {
	c      *Collection
	source string
	most   int64
	folder string
	meta   map[string]any
	put    []indexer.Status
	out    []Written
}

func (u *uploading) read(ctx context.Context, form *multipart.Reader) error {
	for {
		part, err := form.NextRawPart()
		switch {
		case errors.Is(err, io.EOF) && len(u.out) == 0:
			return fault.Bad("file", "the form has no file; send one as the field `file`")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return body.Failed(err, u.most)
		}
		if name, isFile := fileName(part); isFile {
			err = u.file(ctx, part, name)
		} else {
			err = u.field(part)
		}
		if err != nil {
			return err
		}
	}
}

// fileName returns a file's name with its folders, which
// multipart.Part.FileName would cut off: a dropped folder keeps its shape.
func fileName(p *multipart.Part) (string, bool) {
	_, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
	if err != nil {
		return "", false
	}
	name, ok := params["filename"]
	return strings.ReplaceAll(name, `\`, "/"), ok
}

func (u *uploading) field(part *multipart.Part) error {
	data, err := io.ReadAll(io.LimitReader(part, maxMetadata+1))
	if err != nil {
		return body.Failed(err, u.most)
	}
	switch part.FormName() {
	case "folder":
		u.folder = strings.Trim(string(data), "/")
		if u.folder != "" {
			return checkKey(u.folder)
		}
	case "metadata":
		u.meta, err = attributes("metadata", data)
	}
	return err
}

// file stores one file. A name that cannot be a key is told for that file and
// leaves the others alone.
func (u *uploading) file(ctx context.Context, part *multipart.Part, name string) error {
	if len(u.out) >= maxFiles {
		return fault.New(http.StatusRequestEntityTooLarge, "too_many_files", "at most %d files are taken at once; send the rest in another form", maxFiles)
	}
	if u.folder != "" {
		name = u.folder + "/" + name
	}
	if err := checkKey(name); err != nil {
		u.put = append(u.put, indexer.Status{})
		u.out = append(u.out, Written{Path: strings.ToValidUTF8(name, "\uFFFD"), State: "refused", Reason: fault.From(err).Message})
		_, err = io.Copy(io.Discard, part)
		if err != nil {
			return body.Failed(err, u.most)
		}
		return nil
	}
	meta := index.Meta{Type: mediaType(part.Header.Get("Content-Type")), Attributes: u.meta}
	st, err := u.c.Writer.Put(ctx, u.source, name, body.Told(part, u.most), meta)
	if err != nil {
		return err
	}
	u.put = append(u.put, st)
	u.out = append(u.out, Written{ID: st.ID.String(), Path: st.Path, State: string(st.State)})
	return nil
}
