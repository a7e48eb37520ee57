package main

import (
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"

	"github.com/argoproj/argo-rollouts/utils/queue"
)

// What a reconcile takes at the least. Argo compares times with "after", so a clock that stood still would ask for ever.
const tick = time.Millisecond

// A timeline is the work queue of Argo's controller together with the clock it lives by: when there is nothing to do, the clock
// jumps to the next thing that is due, instead of waiting for it.
type timeline struct {
	lock    sync.Mutex
	changed *sync.Cond
	limiter workqueue.TypedRateLimiter[any] // Argo's own: how soon it tries again what went wrong
	settled func()                          // called when a reconcile is done, before anything else happens

	now   time.Time
	until time.Time // here the clock stops until told to go on
	ready []any
	due   map[any]time.Time
	busy  map[any]bool // being reconciled; true where it has to be once more
	idle  bool
	ended bool
}

func newTimeline(now time.Time) *timeline {
	line := &timeline{
		limiter: queue.DefaultArgoRolloutsRateLimiter(),
		settled: func() {},
		now:     now,
		until:   now,
		due:     map[any]time.Time{},
		busy:    map[any]bool{},
	}
	line.changed = sync.NewCond(&line.lock)
	return line
}

// Now is the time on this clock.
func (l *timeline) Now() time.Time {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.now
}

// goOn lets things happen until the clock would pass a time, or until nothing is left to happen; then the clock shows that time, or
// the time of the last event where that is `never`.
func (l *timeline) goOn(until time.Time, never bool) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.until, l.idle = until, false
	l.changed.Broadcast()
	for !l.idle {
		l.changed.Wait()
	}
	if !never && l.now.Before(until) {
		l.now = until
	}
}

// Get hands out what is to be done next, and moves the clock there.
func (l *timeline) Get() (any, bool) {
	l.lock.Lock()
	defer l.lock.Unlock()
	for !l.ended {
		if len(l.ready) > 0 {
			item := l.ready[0]
			l.ready = l.ready[1:]
			l.busy[item] = false
			l.now = l.now.Add(tick)
			return item, false
		}
		if item, at, found := l.next(); found && !at.After(l.until) {
			delete(l.due, item)
			if l.now.Before(at) {
				l.now = at
			}
			l.add(item)
			continue
		}
		l.idle = true
		l.changed.Broadcast()
		l.changed.Wait()
	}
	return nil, true
}

func (l *timeline) next() (first any, at time.Time, found bool) {
	for item, due := range l.due {
		if !found || due.Before(at) {
			first, at, found = item, due, true
		}
	}
	return first, at, found
}

func (l *timeline) add(item any) {
	if _, busy := l.busy[item]; busy {
		l.busy[item] = true
		return
	}
	for _, waiting := range l.ready {
		if waiting == item {
			return
		}
	}
	l.ready = append(l.ready, item)
	l.changed.Broadcast()
}

// Add has an item done as soon as possible.
func (l *timeline) Add(item any) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.add(item)
}

// AddAfter has an item done after a while; of several such wishes the earliest counts.
func (l *timeline) AddAfter(item any, wait time.Duration) {
	l.lock.Lock()
	defer l.lock.Unlock()
	at := l.now.Add(wait)
	if known, there := l.due[item]; !there || at.Before(known) {
		l.due[item] = at
		l.changed.Broadcast()
	}
}

// AddRateLimited has an item done again that went wrong.
func (l *timeline) AddRateLimited(item any) { l.AddAfter(item, l.limiter.When(item)) }

// Forget makes a past failure of an item undone.
func (l *timeline) Forget(item any) { l.limiter.Forget(item) }

// NumRequeues is how often an item went wrong.
func (l *timeline) NumRequeues(item any) int { return l.limiter.NumRequeues(item) }

// Done says that an item is no longer being worked on.
func (l *timeline) Done(item any) {
	l.settled()
	l.lock.Lock()
	defer l.lock.Unlock()
	again := l.busy[item]
	delete(l.busy, item)
	if again {
		l.add(item)
	}
}

// Len is how much is to be done now.
func (l *timeline) Len() int {
	l.lock.Lock()
	defer l.lock.Unlock()
	return len(l.ready)
}

// ShutDown ends the workers.
func (l *timeline) ShutDown() {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.ended = true
	l.changed.Broadcast()
}

// ShutDownWithDrain ends the workers.
func (l *timeline) ShutDownWithDrain() { l.ShutDown() }

// ShuttingDown is true when the workers have been told to end.
func (l *timeline) ShuttingDown() bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.ended
}
