package kafkaio

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// JSON decodes a record's value as one JSON document of the row type. Unknown
// fields are ignored.
func JSON[T any](r Record) (row T, err error) {
	d := json.NewDecoder(bytes.NewReader(r.Value))
	if err := d.Decode(&row); err != nil {
		return row, fmt.Errorf("the value is not the JSON of a %T: %w", row, err)
	}
	if d.More() {
		return row, fmt.Errorf("the value has more behind the JSON of a %T", row)
	}
	return row, nil
}

// Raw keeps a record's value as it is.
func Raw(r Record) ([]byte, error) { return bytes.Clone(r.Value), nil }
