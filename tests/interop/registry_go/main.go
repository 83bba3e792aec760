// Go clients of Confluent's registry against `weir registry`: confluent-kafka-go's schemaregistry with its
// Avro serializer, and franz-go's sr.
//
//	registry_go REGISTRY_URL
package main

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/rest"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/serde/avrov2"
	"github.com/twmb/franz-go/pkg/sr"
)

const (
	one = `{"type":"record","name":"Flight","namespace":"go","fields":[{"name":"id","type":"int"}]}`
	two = `{"type":"record","name":"Flight","namespace":"go","fields":[{"name":"id","type":"int"},` +
		`{"name":"delay","type":"int","default":0}]}`
	bad = `{"type":"record","name":"Flight","namespace":"go","fields":[{"name":"id","type":"int"},` +
		`{"name":"gate","type":"string"}]}`
	seat   = `{"type":"record","name":"Seat","namespace":"go","fields":[{"name":"row","type":"int"}]}`
	ticket = `{"type":"record","name":"Ticket","namespace":"go","fields":[{"name":"seat","type":"go.Seat"}]}`
)

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "registry_go: "+format+"\n", args...)
	os.Exit(1)
}

func must[T any](what string) func(T, error) T {
	return func(value T, err error) T {
		if err != nil {
			fail("%s: %v", what, err)
		}
		return value
	}
}

func same(what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		fail("%s: %#v instead of %#v", what, got, want)
	}
}

// refused wants an error of the registry with one of the codes.
func refused(what string, err error, codes ...int) {
	if err == nil {
		fail("%s: no error", what)
	}
	code := 0
	if e, ok := err.(*rest.Error); ok {
		code = e.Code
	} else if e, ok := err.(*sr.ResponseError); ok {
		code = e.ErrorCode
	}
	for _, c := range codes {
		if code == c {
			return
		}
	}
	fail("%s: %v (code %d) instead of %v", what, err, code, codes)
}

func avro(text string) schemaregistry.SchemaInfo {
	return schemaregistry.SchemaInfo{Schema: text, SchemaType: "AVRO"}
}

func confluent(address string) schemaregistry.Client {
	// A client of its own each time: no answer out of its cache.
	return must[schemaregistry.Client]("client")(schemaregistry.NewClient(schemaregistry.NewConfig(address)))
}

func confluentClient(address string) {
	c := func() schemaregistry.Client { return confluent(address) }
	subject := "go/a ü-value"
	id := must[int]("register")(c().Register(subject, avro(one), false))
	same("register again", must[int]("register")(c().Register(subject, avro(one), true)), id)
	full := must[schemaregistry.SchemaMetadata]("full")(c().RegisterFullResponse(subject, avro(two), true))
	same("another id", full.ID != id, true)
	same("by id", must[schemaregistry.SchemaInfo]("by id")(c().GetBySubjectAndID(subject, id)).Schema, one)
	same("by id alone", must[schemaregistry.SchemaInfo]("by id")(c().GetBySubjectAndID("", id)).Schema, one)
	found := must[schemaregistry.SchemaMetadata]("lookup")(c().GetIDFullResponse(subject, avro(one), false))
	same("lookup", []any{found.ID, found.Version, found.Subject}, []any{id, 1, subject})
	same("by GUID", must[schemaregistry.SchemaInfo]("guid")(c().GetByGUID(found.GUID)).Schema, one)
	uses := must[[]schemaregistry.SubjectAndVersion]("uses")(c().GetSubjectsAndVersionsByID(id))
	same("uses", uses, []schemaregistry.SubjectAndVersion{{Subject: subject, Version: 1}})
	same("latest", must[schemaregistry.SchemaMetadata]("latest")(c().GetLatestSchemaMetadata(subject)).Version, 2)
	same("version", must[schemaregistry.SchemaMetadata]("1")(c().GetSchemaMetadata(subject, 1)).ID, id)
	same("versions", must[[]int]("versions")(c().GetAllVersions(subject)), []int{1, 2})
	same("version of", must[int]("version of")(c().GetVersion(subject, avro(two), true)), 2)
	same("subjects", must[[]string]("subjects")(c().GetAllSubjects()), []string{subject})
	same("contexts", must[[]string]("contexts")(c().GetAllContexts()), []string{"."})
	same("compatible", must[bool]("test")(c().TestCompatibility(subject, 1, avro(two))), true)
	same("not compatible", must[bool]("test")(c().TestCompatibility(subject, 1, avro(bad))), false)
	same("with all", must[bool]("test")(c().TestSubjectCompatibility(subject, avro(bad))), false)
	_, err := c().Register(subject, avro(bad), false)
	refused("incompatible", err, 409, 40901)
	if !strings.Contains(err.Error(), "gate") {
		fail("the reason is not told: %v", err)
	}
	_, err = c().Register(subject, avro(`{"type":"x"}`), false)
	refused("no schema", err, 42201)
	_, err = c().GetBySubjectAndID(subject, 99999)
	refused("unknown id", err, 40403)
	_, err = c().GetLatestSchemaMetadata("go-unknown")
	refused("unknown subject", err, 40401)
	_, err = c().GetConfig(subject, false)
	refused("no config", err, 40408)

	config := must[schemaregistry.ServerConfig]("config")(c().GetConfig(subject, true))
	same("effective level", config.CompatibilityLevel, schemaregistry.Compatibility(schemaregistry.Backward))
	must[schemaregistry.Compatibility]("update")(c().UpdateCompatibility(subject, schemaregistry.FullTransitive))
	level := must[schemaregistry.Compatibility]("level")(c().GetCompatibility(subject))
	same("own level", level, schemaregistry.Compatibility(schemaregistry.FullTransitive))
	must[schemaregistry.ServerConfig]("update")(c().UpdateConfig(subject, schemaregistry.ServerConfig{
		CompatibilityUpdate: schemaregistry.None, Normalize: true, CompatibilityGroup: "g"}))
	config = must[schemaregistry.ServerConfig]("config")(c().GetConfig(subject, false))
	same("group", []any{config.CompatibilityGroup, config.CompatibilityLevel}, []any{"g", schemaregistry.Compatibility(schemaregistry.None)})

	properties := map[string]string{"owner": "ops", "major": "1"}
	described := avro(one)
	described.Metadata = &schemaregistry.Metadata{Properties: properties}
	must[int]("metadata")(c().Register("go-meta", described, false))
	by := must[schemaregistry.SchemaMetadata]("by metadata")(c().GetLatestWithMetadata("go-meta", properties, false))
	same("by metadata", by.Version, 1)

	must[int]("seat")(c().Register("go-seat", avro(seat), false))
	referring := avro(ticket)
	referring.References = []schemaregistry.Reference{{Name: "go.Seat", Subject: "go-seat", Version: 1}}
	must[int]("ticket")(c().Register("go-ticket", referring, false))
	got := must[schemaregistry.SchemaMetadata]("ticket")(c().GetLatestSchemaMetadata("go-ticket"))
	same("references", got.References, referring.References)
	_, err = c().DeleteSubject("go-seat", false)
	refused("referred to", err, 42206)
	same("delete a version", must[int]("delete")(c().DeleteSubjectVersion(subject, 1, false)), 1)
	same("delete", must[[]int]("delete")(c().DeleteSubject(subject, false)), []int{2})
	same("for good", must[[]int]("delete")(c().DeleteSubject(subject, true)), []int{1, 2})
}

// Flight as the serializer derives its schema: the fields' tags.
type Flight struct {
	ID    int32 `avro:"id"`
	Delay int32 `avro:"delay"`
}

func serializer(address string, kind serde.Type, change func(*avrov2.SerializerConfig)) *avrov2.Serializer {
	config := avrov2.NewSerializerConfig()
	change(config)
	return must[*avrov2.Serializer]("serializer")(avrov2.NewSerializer(confluent(address), kind, config))
}

func confluentSerializers(address string) {
	topic, sent := "go-flights", Flight{ID: 7, Delay: 3}
	none := func(c *avrov2.SerializerConfig) { c.AutoRegisterSchemas = false }
	_, err := serializer(address, serde.ValueSerde, none).Serialize(topic, &sent)
	refused("not registered", err, 40401)
	value := must[[]byte]("serialize")(serializer(address, serde.ValueSerde, func(c *avrov2.SerializerConfig) {}).Serialize(topic, &sent))
	key := must[[]byte]("key")(serializer(address, serde.KeySerde, func(c *avrov2.SerializerConfig) { c.NormalizeSchemas = true }).Serialize(topic, &sent))
	same("subjects", must[[]int]("key's")(confluent(address).GetAllVersions(topic+"-key")), []int{1})
	same("one schema, one id", key[:5], value[:5])
	same("known by now", must[[]byte]("lookup")(serializer(address, serde.ValueSerde, none).Serialize(topic, &sent)), value)
	latest := func(c *avrov2.SerializerConfig) { c.AutoRegisterSchemas, c.UseLatestVersion = false, true }
	same("by the latest", must[[]byte]("latest")(serializer(address, serde.ValueSerde, latest).Serialize(topic, &sent)), value)

	described := avro(`{"type":"record","name":"Flight","fields":[{"name":"id","type":"int"},{"name":"delay","type":"int"}]}`)
	described.Metadata = &schemaregistry.Metadata{Properties: map[string]string{"major": "5"}}
	must[int]("metadata")(confluent(address).Register("go-described-value", described, false))
	byMetadata := func(c *avrov2.SerializerConfig) {
		c.AutoRegisterSchemas, c.UseLatestWithMetadata = false, map[string]string{"major": "5"}
	}
	must[[]byte]("by metadata")(serializer(address, serde.ValueSerde, byMetadata).Serialize("go-described", &sent))

	d := must[*avrov2.Deserializer]("deserializer")(avrov2.NewDeserializer(confluent(address), serde.ValueSerde, avrov2.NewDeserializerConfig()))
	var read Flight
	if err := d.DeserializeInto(topic, value, &read); err != nil {
		fail("deserialize: %v", err)
	}
	same("round trip", read, sent)
	_, err = d.Deserialize(topic, []byte{0, 0, 1, 0, 0, 0})
	refused("an id that is not there", err, 40403)
}

func franz(address string) {
	ctx := context.Background()
	cl := must[*sr.Client]("client")(sr.NewClient(sr.URLs(address)))
	subject := "franz/a ü"
	same("types", must[[]sr.SchemaType]("types")(cl.SupportedTypes(ctx)), []sr.SchemaType{sr.TypeAvro})
	first := must[sr.SubjectSchema]("create")(cl.CreateSchema(ctx, subject, sr.Schema{Schema: one}))
	same("first", []any{first.Subject, first.Version, first.Schema.Schema}, []any{subject, 1, one})
	second := must[sr.SubjectSchema]("create")(cl.CreateSchema(ctx, subject, sr.Schema{Schema: two}))
	same("second", second.Version, 2)
	_, err := cl.CreateSchema(ctx, subject, sr.Schema{Schema: bad})
	refused("incompatible", err, 409, 40901)
	same("by id", must[sr.Schema]("by id")(cl.SchemaByID(ctx, first.ID)).Schema, one)
	same("text by id", must[string]("text")(cl.SchemaTextByID(ctx, first.ID)), one)
	same("text", must[string]("text")(cl.SchemaTextByVersion(ctx, subject, 1)), one)
	same("latest", must[sr.SubjectSchema]("latest")(cl.SchemaByVersion(ctx, subject, -1)).Version, 2)
	same("subjects by id", must[[]string]("subjects")(cl.SubjectsByID(ctx, second.ID)), []string{subject})
	same("versions by id", must[[]sr.SubjectVersion]("versions")(cl.SchemaVersionsByID(ctx, second.ID)), []sr.SubjectVersion{{Subject: subject, Version: 2}})
	same("versions", must[[]int]("versions")(cl.SubjectVersions(ctx, subject)), []int{1, 2})
	same("all of a subject", len(must[[]sr.SubjectSchema]("schemas")(cl.Schemas(ctx, subject))), 2)
	same("lookup", must[sr.SubjectSchema]("lookup")(cl.LookupSchema(ctx, subject, sr.Schema{Schema: one})).Version, 1)
	verdict := must[sr.CheckCompatibilityResult]("check")(cl.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), subject, -1, sr.Schema{Schema: bad}))
	same("verdict", []any{verdict.Is, len(verdict.Messages) > 0}, []any{false, true})
	for _, r := range cl.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatNone}, subject) {
		same("set level", []any{r.Err, r.Level}, []any{nil, sr.CompatNone})
	}
	for _, r := range cl.Compatibility(ctx, subject, sr.GlobalSubject) {
		same("level of "+r.Subject, r.Err, nil)
	}
	for _, r := range cl.ResetCompatibility(ctx, subject) {
		same("reset level", r.Err, nil)
	}
	for _, r := range cl.SetMode(ctx, sr.ModeReadOnly, subject) {
		same("set mode", []any{r.Err, r.Mode}, []any{nil, sr.ModeReadOnly})
	}
	_, err = cl.CreateSchema(ctx, subject, sr.Schema{Schema: `"long"`})
	refused("read only", err, 42205)
	for _, r := range cl.ResetMode(ctx, subject) {
		same("reset mode", r.Err, nil)
	}
	must[sr.SubjectSchema]("seat")(cl.CreateSchema(ctx, "franz-seat", sr.Schema{Schema: seat}))
	using := must[sr.SubjectSchema]("ticket")(cl.CreateSchema(ctx, "franz-ticket", sr.Schema{Schema: ticket,
		References: []sr.SchemaReference{{Name: "go.Seat", Subject: "franz-seat", Version: 1}}}))
	referrers := must[[]sr.SubjectSchema]("referrers")(cl.SchemaReferences(ctx, "franz-seat", 1))
	same("referrers", []any{len(referrers), referrers[0].ID}, []any{1, using.ID})
	same("soft delete", must[[]int]("delete")(cl.DeleteSubject(ctx, subject, sr.SoftDelete)), []int{1, 2})
	same("hard delete", must[[]int]("delete")(cl.DeleteSubject(ctx, subject, sr.HardDelete)), []int{1, 2})

	for _, r := range cl.SetMode(ctx, sr.ModeImport, "franz-import") {
		same("import mode", r.Err, nil)
	}
	imported := must[sr.SubjectSchema]("import")(cl.CreateSchemaWithIDAndVersion(ctx, "franz-import", sr.Schema{Schema: `["null","bytes"]`}, 7000, 9))
	same("imported", []any{imported.ID, imported.Version}, []any{7000, 9})

	var s sr.Serde
	s.Register(using.ID, map[string]any{}, sr.EncodeFn(func(any) ([]byte, error) { return []byte{14}, nil }))
	id, rest, err := s.DecodeID(must[[]byte]("encode")(s.Encode(map[string]any{})))
	same("wire format", []any{id, rest, err}, []any{using.ID, []byte{14}, nil})
}

func main() {
	for _, step := range []struct {
		name string
		run  func(string)
	}{{"confluent client", confluentClient}, {"confluent serializers", confluentSerializers}, {"franz-go", franz}} {
		fmt.Println("---", step.name)
		step.run(os.Args[1])
	}
}
