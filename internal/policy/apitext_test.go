package policy

import (
	"fmt"
	"go/types"
	"reflect"
	"slices"
	"strings"
)

// apiText returns the exported API of a package: one line for each constant,
// variable, function, type, field and method, sorted.
func apiText(p *types.Package) []string {
	a := &api{qualify: func(other *types.Package) string {
		if other == p {
			return ""
		}
		return other.Name()
	}}
	for _, name := range p.Scope().Names() {
		obj := p.Scope().Lookup(name)
		if !obj.Exported() {
			continue
		}
		switch obj := obj.(type) {
		case *types.Const:
			a.addf("const %s %s = %s", name, a.str(obj.Type()), obj.Val().ExactString())
		case *types.Var:
			a.addf("var %s %s", name, a.str(obj.Type()))
		case *types.Func:
			a.addf("func %s%s", name, a.signature(obj))
		case *types.TypeName:
			a.typeName(obj)
		}
	}
	slices.Sort(a.lines)
	return a.lines
}

type api struct {
	lines   []string
	qualify types.Qualifier
}

func (a *api) addf(format string, args ...any) {
	// A type that spans lines in the source may do so here.
	line := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
	a.lines = append(a.lines, line)
}

func (a *api) str(t types.Type) string { return types.TypeString(t, a.qualify) }

func (a *api) signature(f *types.Func) string {
	return strings.TrimPrefix(a.str(f.Signature()), "func")
}

func (a *api) typeName(obj *types.TypeName) {
	if obj.IsAlias() {
		a.addf("type %s = %s", obj.Name(), a.str(types.Unalias(obj.Type())))
		return
	}
	named := obj.Type().(*types.Named)
	decl := "type " + obj.Name() + a.typeParams(named)
	switch u := named.Underlying().(type) {
	case *types.Struct:
		a.addf("%s struct", decl)
		a.fields(decl, u)
	case *types.Interface:
		a.addf("%s interface", decl)
		a.interfaceMethods(decl, u)
	default:
		a.addf("%s %s", decl, a.str(u))
	}
	a.methods(named)
}

func (a *api) typeParams(named *types.Named) string {
	var list []string
	for p := range named.TypeParams().TypeParams() {
		list = append(list, p.Obj().Name()+" "+a.str(p.Constraint()))
	}
	if list == nil {
		return ""
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func (a *api) fields(decl string, s *types.Struct) {
	for i := range s.NumFields() {
		f := s.Field(i)
		if !f.Exported() {
			continue
		}
		name := f.Name() + " "
		if f.Embedded() {
			name = "embedded "
		}
		tag := ""
		if s.Tag(i) != "" {
			tag = fmt.Sprintf(" %q", reflect.StructTag(s.Tag(i)))
		}
		a.addf("%s, %s%s%s", decl, name, a.str(f.Type()), tag)
	}
}

func (a *api) interfaceMethods(decl string, u *types.Interface) {
	for m := range u.Methods() { // those of embedded interfaces too
		if m.Exported() {
			a.addf("%s, %s%s", decl, m.Name(), a.signature(m))
		} else {
			a.addf("%s, unexported methods", decl)
		}
	}
	if u.IsComparable() || !u.IsMethodSet() {
		a.addf("%s, %s", decl, a.str(u)) // a constraint
	}
}

// methods lists the type's own methods and those that an embedded unexported
// type lends it; an embedded exported type is a field, which says as much.
func (a *api) methods(named *types.Named) {
	if types.IsInterface(named) {
		return
	}
	byValue := types.NewMethodSet(named)
	for sel := range types.NewMethodSet(types.NewPointer(named)).Methods() {
		f := sel.Obj().(*types.Func)
		if !f.Exported() || len(sel.Index()) > 1 && embedsExported(named, sel.Index()[0]) {
			continue
		}
		recv := named.Obj().Name()
		if byValue.Lookup(f.Pkg(), f.Name()) == nil {
			recv = "*" + recv
		}
		a.addf("method (%s) %s%s", recv, f.Name(), a.signature(f))
	}
}

func embedsExported(named *types.Named, field int) bool {
	s, ok := named.Underlying().(*types.Struct)
	return ok && s.Field(field).Exported()
}
