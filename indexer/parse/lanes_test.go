package parse

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// user is somebody who waits for a place or has one.
type user struct {
	l    *lanes
	t    *turn
	got  chan struct{}
	err  error
	stop context.CancelFunc
}

// room is where they wait; all give up when ctx ends.
type room struct {
	*lanes
	ctx context.Context
}

func come(l *room, urgent, slow bool) *user {
	ctx, cancel := context.WithCancel(l.ctx)
	u := &user{l: l.lanes, got: make(chan struct{}), stop: cancel}
	go func() {
		defer close(u.got)
		u.t, u.err = l.enter(ctx, urgent, slow)
	}()
	synctest.Wait()
	return u
}

func (u *user) has() bool {
	synctest.Wait()
	select {
	case <-u.got:
		return u.err == nil
	default:
		return false
	}
}

func (u *user) ousted() bool { return context.Cause(u.t.ctx) == errOusted }

func (u *user) leave() {
	u.l.leave(u.t)
	u.stop()
	synctest.Wait()
}

const (
	urgent, patient = true, false
	slow, quick     = true, false
)

func TestLanes(t *testing.T) {
	for name, f := range map[string]func(t *testing.T, l *room){
		"slow files leave a place": func(t *testing.T, l *room) {
			a, b := come(l, urgent, slow), come(l, urgent, slow)
			c := come(l, patient, quick)
			if !a.has() || b.has() || !c.has() {
				t.Errorf("slow %t and %t, quick %t", a.has(), b.has(), c.has())
			}
			c.leave()
			if b.has() {
				t.Error("the second slow file took the place of quick ones")
			}
			a.leave()
			if !b.has() {
				t.Error("the second slow file waits for nothing")
			}
			b.leave()
		},
		"who takes long becomes slow": func(t *testing.T, l *room) {
			a := come(l, patient, quick)
			time.Sleep(2 * moment)
			b := come(l, patient, quick)
			c := come(l, patient, slow)
			if !b.has() || c.has() || a.ousted() {
				t.Errorf("quick %t, another slow one %t, ousted %t", b.has(), c.has(), a.ousted())
			}
			a.leave()
			if !c.has() {
				t.Error("the slow lane is not free again")
			}
			b.leave()
			c.leave()
		},
		"an urgent file ousts who takes long": func(t *testing.T, l *room) {
			a, b := come(l, urgent, slow), come(l, urgent, quick)
			c := come(l, patient, quick)
			time.Sleep(2 * moment)
			if c.has() || b.ousted() {
				t.Errorf("one of the backlog has a place: %t, ousted %t", c.has(), b.ousted())
			}
			d := come(l, urgent, quick)
			if !b.ousted() || a.ousted() {
				t.Errorf("ousted: quick %t, slow %t", b.ousted(), a.ousted())
			}
			b.leave()
			again := come(l, urgent, slow)
			if !d.has() || c.has() || again.has() {
				t.Errorf("urgent %t, patient %t, ousted %t", d.has(), c.has(), again.has())
			}
			d.leave()
			c.leave()
			a.leave()
			if !again.has() {
				t.Error("the ousted file has no turn")
			}
			again.leave()
		},
		"one who waits ousts one": func(t *testing.T, l *room) {
			l.places = 4
			for range 3 {
				come(l, urgent, slow)
			}
			late := come(l, urgent, quick)
			first := come(l, urgent, quick)
			time.Sleep(moment / 2)
			if late.ousted() {
				t.Error("ousted before its moment was over")
			}
			time.Sleep(moment)
			if !late.ousted() || first.has() {
				t.Errorf("ousted %t, next %t", late.ousted(), first.has())
			}
			late.leave()
			if !first.has() {
				t.Error("the place is not given on")
			}
		},
		"a slow one that ends makes the late one slow": func(t *testing.T, l *room) {
			a, b := come(l, urgent, slow), come(l, urgent, quick)
			time.Sleep(2 * moment)
			a.leave()
			c := come(l, urgent, quick)
			if b.ousted() || !c.has() {
				t.Errorf("ousted %t, quick %t", b.ousted(), c.has())
			}
			if d := come(l, urgent, slow); d.has() {
				t.Error("two slow ones")
			}
		},
		"slow ones are not starved": func(t *testing.T, l *room) {
			a, b := come(l, urgent, quick), come(l, urgent, quick)
			s := come(l, patient, slow)
			q := come(l, urgent, quick)
			a.leave()
			if !s.has() || q.has() {
				t.Errorf("slow %t, quick %t", s.has(), q.has())
			}
			b.leave()
			if !q.has() {
				t.Error("the quick one has no turn")
			}
		},
		"the urgent come first, then the older": func(t *testing.T, l *room) {
			come(l, patient, slow)
			x := come(l, urgent, quick)
			a, b, c := come(l, patient, quick), come(l, urgent, quick), come(l, urgent, quick)
			x.leave()
			if !b.has() || c.has() || a.has() {
				t.Errorf("%t %t %t", a.has(), b.has(), c.has())
			}
			b.leave()
			if !c.has() || a.has() {
				t.Errorf("%t %t", a.has(), c.has())
			}
		},
		"who stops waiting takes nothing": func(t *testing.T, l *room) {
			come(l, patient, slow)
			x := come(l, urgent, quick)
			a, b := come(l, urgent, quick), come(l, urgent, quick)
			a.stop()
			if a.has() || !errors.Is(a.err, context.Canceled) {
				t.Errorf("error %v", a.err)
			}
			x.leave()
			if !b.has() {
				t.Error("the place was lost")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(context.Background())
				l := newLanes(0)
				f(t, &room{l, ctx})
				if l.used > l.places || l.slow > l.places-1 {
					t.Errorf("%d places used, %d by slow files", l.used, l.slow)
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}
