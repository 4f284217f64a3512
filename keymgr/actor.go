package keymgr

import "context"

type actorKey struct{}

// maxActorLen bounds what an actor's name takes in the log of key changes, in bytes.
const maxActorLen = 256

// WithActor returns a context whose changes of keys are logged as done by
// actor ([Event]): a person or a program, at most 256 bytes of it.
func WithActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, logText(actor, maxActorLen))
}

// ActorFrom returns the actor of [WithActor], or "".
func ActorFrom(ctx context.Context) string {
	actor, _ := ctx.Value(actorKey{}).(string)
	return actor
}
