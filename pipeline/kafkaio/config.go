package kafkaio

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Config says which topics of which cluster.
type Config struct {
	Brokers []string // HOST:PORT, at least one
	Topics  []string // at least one
	// TLS, if not nil, is how to connect.
	TLS *tls.Config
	// SASL is "", "plain", "scram-sha-256" or "scram-sha-512".
	SASL           string
	User, Password string
	// Batch is how many records make one atomic group at most; 4096.
	Batch int
}

func (c Config) validate() error {
	switch {
	case len(c.Brokers) == 0:
		return errors.New("kafkaio: no brokers are named")
	case len(c.Topics) == 0:
		return errors.New("kafkaio: no topic is named")
	}
	_, err := c.mechanism()
	return err
}

func (c Config) mechanism() (sasl.Mechanism, error) {
	switch c.SASL {
	case "":
		return nil, nil
	case "plain":
		return plain.Auth{User: c.User, Pass: c.Password}.AsMechanism(), nil
	case "scram-sha-256":
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha256Mechanism(), nil
	case "scram-sha-512":
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("kafkaio: SASL mechanism %q is not plain, scram-sha-256 or scram-sha-512", c.SASL)
}

// client connects when it is first used.
func (c Config) client() (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// The end of a transaction is a record too: without it a topic that
		// ends with one is never read to its end.
		kgo.KeepControlRecords(),
		// Retention may have removed what was to be read next: go on with
		// what is there.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(250 * time.Millisecond),
		kgo.FetchMaxBytes(16 << 20),
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.ClientID("ragserver"),
	}
	if c.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(c.TLS))
	}
	m, err := c.mechanism()
	if err != nil {
		return nil, err
	}
	if m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return kgo.NewClient(opts...)
}
